// Package onboarding shows how a test in Go holds an onboarding tool against a world of dryarc. It needs nothing but `dryarc` on
// PATH (or in DRYARC).
package onboarding

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// world is a simulated Azure with a cluster. Its clock jumps to what is waited for.
type world struct {
	t     *testing.T
	state string
}

func program() string {
	if set := os.Getenv("DRYARC"); set != "" {
		return set
	}
	return "dryarc"
}

func start(t *testing.T) world {
	w := world{t, t.TempDir()}
	w.must("up", "--detach", "--clock", "instant")
	t.Cleanup(func() { w.must("down") })
	for _, namespace := range []string{"Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"} {
		w.must("provider", "set", namespace, "--state", "Registered")
	}
	return w
}

func (w world) run(arguments ...string) (stdout []byte, stderr string, err error) {
	var out, errors bytes.Buffer
	command := exec.Command(program(), arguments...)
	command.Env = append(os.Environ(), "DRYARC_STATE_HOME="+w.state)
	command.Stdout, command.Stderr = &out, &errors
	err = command.Run()
	return out.Bytes(), errors.String(), err
}

func (w world) must(arguments ...string) []byte {
	w.t.Helper()
	stdout, stderr, err := w.run(arguments...)
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", arguments, err, stderr)
	}
	return stdout
}

// onboard is what is tested. Here it is dryarc's own driver; put your program in its place.
func (w world) onboard() (string, error) {
	_, stderr, err := w.run("exec", "--", program(), "onboard", "--name", "edge", "--resource-group", "arc", "--location", "eastus")
	return stderr, err
}

func (w world) connectivity() string {
	w.t.Helper()
	var clusters []struct {
		ConnectivityStatus string `json:"connectivityStatus"`
	}
	if err := json.Unmarshal(w.must("list", "--output", "json"), &clusters); err != nil || len(clusters) != 1 {
		w.t.Fatalf("one cluster was expected: %v, %v", clusters, err)
	}
	return clusters[0].ConnectivityStatus
}

func TestAClusterGoesOfflineWhenItsAgentsAreCutOff(t *testing.T) {
	w := start(t)
	if stderr, err := w.onboard(); err != nil {
		t.Fatal(err, stderr)
	}
	w.must("clock", "advance", "6m")
	if status := w.connectivity(); status != "Connected" {
		t.Fatal(status)
	}
	w.must("fault", "add", "--rule", `{"id": "cut", "hook": "before", "match": {"facts": {"surface": "agents"}}, "effect": "reset"}`)
	w.must("clock", "advance", "21m")
	if status := w.connectivity(); status != "Offline" {
		t.Fatal(status)
	}
}

func TestTheToolFailsWhenTheRegistryIsBlocked(t *testing.T) {
	w := start(t)
	w.must("fault", "add", "--rule", `{"id": "firewall", "hook": "wire", "match": {"facts": {"host": "mcr.microsoft.com"}}, "effect": "refuse"}`)
	if stderr, err := w.onboard(); err == nil {
		t.Fatal("it succeeded", stderr)
	}
}
