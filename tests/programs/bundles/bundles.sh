#!/bin/sh
# Installs charts and definitions that others publish, and prints what a user sees of them: nothing that a server draws.
#
# Usage: bundles.sh NAMESPACE      with kubectl and helm on PATH, the folder of the bundles in BUNDLES and the one wanted in BUNDLE
set -eu
export LC_ALL=C
namespace=$1
kubectl() { command kubectl --namespace "$namespace" "$@"; }
helm() { command helm --namespace "$namespace" "$@"; }

definitions() { # the definitions of a folder, by server-side apply: some are too large for an annotation
  kubectl apply --server-side --filename "$1" | sort
  kubectl wait --for condition=Established --timeout 60s --filename "$1" | sort
}

gone() { # with the objects that there are
  kubectl delete --filename "$1" --timeout 60s | sort
}

refused() { # what is printed on standard error counts; a server goes through the fields of an object in no order
  { kubectl create --filename - 2>&1 && echo "was accepted" || true; } | sort
}

gateway_api() {
  definitions "$BUNDLES/gateway-api/standard"
  kubectl get customresourcedefinitions --output custom-columns=NAME:.metadata.name,SCOPE:.spec.scope,VERSIONS:.status.storedVersions |
    grep gateway.networking.k8s.io
  kubectl explain gateway.spec.listeners.port
  kubectl create --filename - <<'END'
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: programs}
spec: {controllerName: example.com/controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec:
  gatewayClassName: programs
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: web}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
END
  kubectl get gateway web --output jsonpath='{.spec}{"\n"}{.status.conditions[*].type}{"\n"}'
  kubectl get httproute web --output jsonpath='{.spec.rules}{"\n"}{.spec.parentRefs}{"\n"}'
  kubectl get gateways,gatewayclasses --no-headers | awk '{print $1, $2, $3}'
  refused <<'END'
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: doubled}
spec:
  gatewayClassName: programs
  listeners: [{name: a, port: 80, protocol: HTTP}, {name: a, port: 80, protocol: HTTP}]
END
  refused <<'END'
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: odd}
spec:
  rules:
  - matches: [{path: {type: PathPrefix, value: a//b}}]
    filters: [{type: RequestRedirect}]
END
  kubectl patch gatewayclass programs --type merge --patch '{"spec":{"controllerName":"example.com/other"}}' 2>&1 || true
  gone "$BUNDLES/gateway-api/standard"
}

prometheus_operator() {
  definitions "$BUNDLES/prometheus-operator"
  kubectl create --filename - <<'END'
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, endpoints: [{port: http, interval: 30s}]}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main}
spec: {replicas: 2, retention: 10d}
END
  kubectl get prometheus main --output jsonpath='{.spec}{"\n"}'
  kubectl scale prometheus main --replicas 3
  kubectl get prometheus main --output jsonpath='{.spec.replicas}{" "}{.spec.shards}{"\n"}'
  refused <<'END'
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: odd}
spec: {selector: {}, endpoints: [{interval: often}]}
END
  gone "$BUNDLES/prometheus-operator"
}

external_dns() {
  chart="$BUNDLES/external-dns"
  helm install dns "$chart" --set provider.name=inmemory --set 'sources={service}' >installed
  grep -E '^(NAME|STATUS|REVISION):' installed
  kubectl get deployments,serviceaccounts,services --selector app.kubernetes.io/instance=dns --output name
  kubectl get deployment dns-external-dns --output jsonpath='{.spec.template.spec.containers[0].args}{"\n"}'
  command kubectl auth can-i list services --all-namespaces --as "system:serviceaccount:$namespace:dns-external-dns"
  helm upgrade dns "$chart" --reuse-values --set 'sources={service,ingress}' --set logLevel=debug >upgraded
  grep -E '^(STATUS|REVISION):' upgraded
  kubectl get deployment dns-external-dns --output jsonpath='{.metadata.generation}{" "}{.spec.template.spec.containers[0].args}{"\n"}'
  helm rollback dns 1
  helm history dns --output json | tr '{' '\n' | grep -o '"status":"[a-z]*"'
  helm uninstall dns
  kubectl get deployments,serviceaccounts,services --selector app.kubernetes.io/instance=dns --output name
}

command kubectl create namespace "$namespace"
case $BUNDLE in
gateway-api) gateway_api ;;
prometheus-operator) prometheus_operator ;;
external-dns) external_dns ;;
esac
command kubectl delete namespace "$namespace" --wait=false
