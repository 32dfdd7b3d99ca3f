# The Azure CLI's ways to log in. What they need comes by environment variables.
set -eu
used() { # somebody is logged in, and the login is good for something
  test "$(az account show --query user.type --output tsv)" = "$1"
  az group list --output none
  az account clear
}

az login --service-principal -u "$AZURE_CLIENT_ID" --certificate "$SUITE_CERTIFICATE" --tenant "$AZURE_TENANT_ID" --output none
used servicePrincipal
az login --service-principal -u "$AZURE_CLIENT_ID" --federated-token "$(cat "$SUITE_FEDERATED_TOKEN")" --tenant "$AZURE_TENANT_ID" --output none
used servicePrincipal
az login --identity --output none
used servicePrincipal
az login --username dev@dryarc.onmicrosoft.com --password 'a~password' --tenant "$AZURE_TENANT_ID" --output none
used user

az login --use-device-code --tenant "$AZURE_TENANT_ID" --output none 2>device.txt &
login=$!
code=
while [ -z "$code" ]; do
  code=$(sed -n 's/.*enter the code \([A-Z]*\) to authenticate.*/\1/p' device.txt)
done
curl --silent --show-error --fail --output page.html --data "user_code=$code" https://login.microsoft.com/device
wait "$login"
used user

refused() { # AADSTS number, arguments of az login
  number=$1
  shift
  if az login --service-principal --tenant "$AZURE_TENANT_ID" "$@" 2>refused.txt; then
    echo "not refused: $*" >&2
    exit 1
  fi
  grep -q "AADSTS$number:" refused.txt || { cat refused.txt >&2; exit 1; }
}
refused 7000215 -u "$AZURE_CLIENT_ID" -p wrong
refused 700016 -u 11111111-1111-1111-1111-111111111111 -p wrong
refused 7000222 -u "$SUITE_EXPIRED_CLIENT" -p "$SUITE_EXPIRED_SECRET"
refused 700027 -u "$AZURE_CLIENT_ID" --certificate "$SUITE_OTHER_CERTIFICATE"
refused 700024 -u "$AZURE_CLIENT_ID" --federated-token "$(cat "$SUITE_OLD_TOKEN")"
echo ok
