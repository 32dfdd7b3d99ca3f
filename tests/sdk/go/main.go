// Reads a cloud's metadata document with the environment parser that Terraform's azurerm provider uses for `metadata_host`.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-azure-sdk/sdk/environments"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	env, err := environments.FromEndpoint(ctx, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	login, _ := env.Authorization, env.Name
	fmt.Println("name", env.Name)
	fmt.Println("login", login.LoginEndpoint)
	fmt.Println("audiences", login.Audiences)
	if endpoint, ok := env.ResourceManager.Endpoint(); ok {
		fmt.Println("resourceManager", *endpoint)
	}
	if endpoint, ok := env.MicrosoftGraph.Endpoint(); ok {
		fmt.Println("graph", *endpoint)
	}
}
