package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// define makes a kind of the namespace's own, and waits until it is served.
func (w *world) define(ctx context.Context) (schema.GroupVersionResource, error) {
	things := schema.GroupVersionResource{Group: w.namespace + ".example.com", Version: "v1", Resource: "things"}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": "things." + things.Group},
		"spec": map[string]any{
			"group": things.Group,
			"scope": "Namespaced",
			"names": map[string]any{"kind": "Thing", "plural": "things"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object",
					"properties": map[string]any{"spec": map[string]any{
						"type":       "object",
						"properties": map[string]any{"value": map[string]any{"type": "string"}},
					}},
				}},
			}},
		},
	}}
	if _, err := w.custom.Resource(definitions).Create(ctx, definition, metav1.CreateOptions{}); err != nil {
		return things, err
	}
	return things, poll(ctx, func() (bool, string) {
		_, err := w.custom.Resource(things).List(ctx, metav1.ListOptions{})
		return err == nil, fmt.Sprint(err)
	})
}

func thing(group, name, value string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1",
		"kind":       "Thing",
		"metadata":   map[string]any{"name": name, "labels": map[string]any{"group": "expired"}},
		"spec":       map[string]any{"value": value},
	}}
}

// expiredWatch has a watch that asks for a revision before its kind was there.
func expiredWatch(ctx context.Context, w *world) error {
	kind, err := w.define(ctx)
	if err != nil {
		return err
	}
	things := w.custom.Resource(kind).Namespace(w.namespace)
	for i := range 3 {
		// The server may need a moment more for a kind that is new.
		if err := poll(ctx, func() (bool, string) {
			_, err := things.Create(ctx, thing(kind.Group, fmt.Sprint("thing-", i), "before"), metav1.CreateOptions{})
			return err == nil, fmt.Sprint(err)
		}); err != nil {
			return err
		}
	}
	change := func(name string) error {
		options := metav1.ApplyOptions{FieldManager: "informer", Force: true}
		_, err := things.Apply(ctx, name, thing(kind.Group, name, "after"), options)
		return err
	}
	before := w.wire.lists()
	only := func(options *metav1.ListOptions) { options.LabelSelector = "group=expired" }
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(w.custom, 0, w.namespace, only)
	informer := factory.ForResource(kind).Informer()
	seen := watchAll(informer)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	// A watch that ends before it told anything would be followed by a list.
	if err := w.wire.untilWatching(ctx, "expired"); err != nil {
		return err
	}
	if err := change("thing-0"); err != nil {
		return err
	}
	if err := seen.until(ctx, 3, 1, 0); err != nil {
		return err
	}
	w.wire.expireNext()
	w.wire.breakWatches()
	if err := w.wire.untilExpired(ctx); err != nil {
		return err
	}
	if err := change("thing-1"); err != nil {
		return err
	}
	if err := things.Delete(ctx, "thing-0", metav1.DeleteOptions{}); err != nil {
		return err
	}
	if err := seen.untilCache(ctx, informer, "thing-1=after thing-2=before"); err != nil {
		return err
	}
	fmt.Println("an expired watch was answered with", w.wire.expiredAnswer())
	fmt.Println("an expired watch: lists", w.wire.lists()-before, "in the cache", contents(informer))
	return w.custom.Resource(definitions).Delete(ctx, "things."+kind.Group, metav1.DeleteOptions{})
}
