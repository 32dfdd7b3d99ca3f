module dryarc/sdk-suite

go 1.23

require github.com/hashicorp/go-azure-sdk/sdk v0.20260811.1225050
