// Command operator runs two replicas of a controller-runtime manager that compete for a lease, and prints who did what.
//
// It is the same on every API server: what it prints has no names, times or revisions that a server draws.
// `operator NAMESPACE` is the story; it starts itself again as `operator NAMESPACE REPLICA`.
package main

import (
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// How long one step of the story may take.
const patience = 30 * time.Second

func main() {
	var err error
	switch len(os.Args) {
	case 2:
		err = tell(os.Args[1])
	case 3:
		err = serve(ctrl.SetupSignalHandler(), os.Args[1], os.Args[2])
	default:
		fmt.Fprintln(os.Stderr, "usage: operator NAMESPACE [REPLICA]")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}
