package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.programs.dryarc.dev}
spec:
  group: programs.dryarc.dev
  scope: Namespaced
  names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer, minimum: 1, default: 1}}}
          status: {type: object, properties: {observedGeneration: {type: integer}, madeBy: {type: string}}}
`

// prepare makes the kind and the namespace, and waits until the kind is served.
func (s *story) prepare() error {
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(definition), &crd.Object); err != nil {
		return err
	}
	if err := s.Patch(s.ctx, crd, client.Apply, client.FieldOwner("operator"), client.ForceOwnership); err != nil {
		return err
	}
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := s.Create(s.ctx, made); err != nil {
		return err
	}
	return s.until("served", func() (bool, string) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(widget().GroupVersionKind())
		err := s.List(s.ctx, list)
		return err == nil, fmt.Sprint(err)
	})
}

// tidy takes the kind away although its objects have finalizers that nobody removes any more.
func (s *story) tidy() error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(widget().GroupVersionKind())
	if err := s.List(s.ctx, list, client.InNamespace(s.namespace)); err != nil {
		return err
	}
	fmt.Println("left:", len(list.Items))
	for _, one := range list.Items {
		one.SetFinalizers(nil)
		if err := s.Update(s.ctx, &one); err != nil {
			return err
		}
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(definition), &crd.Object); err != nil {
		return err
	}
	if err := s.Delete(s.ctx, crd); err != nil {
		return err
	}
	return s.Delete(s.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})
}
