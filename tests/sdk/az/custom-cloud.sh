# The Azure CLI against a custom cloud, without a proxy: registered by its endpoint, then found by a document of clouds.
set -eu
unset HTTPS_PROXY HTTP_PROXY https_proxy http_proxy
export AZURE_CONFIG_DIR="$PWD/custom" AZURE_CORE_INSTANCE_DISCOVERY=false
login() {
  az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID" --output none
}

az cloud register --name Dryarc --endpoint-resource-manager "$DRYARC_CLOUD_URL" --output none
az cloud set --name Dryarc --output none
login
az group create --name custom --location eastus --output none
test "$(az group show --name custom --query properties.provisioningState --output tsv)" = Succeeded
az rest --method get --url "/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups?api-version=2021-04-01" --output none

export AZURE_CONFIG_DIR="$PWD/document" ARM_CLOUD_METADATA_URL="$DRYARC_CLOUD_URL/metadata/endpoints?api-version=2020-06-01"
test "$(az cloud show --query name --output tsv)" = Dryarc
login
az group delete --name custom --yes
test "$(az group exists --name custom)" = false
echo ok
