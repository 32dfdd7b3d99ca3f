package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
)

// tally counts what an informer tells its handler.
type tally struct {
	lock                            sync.Mutex
	adds, updates, deletes, resyncs int
	known                           map[string]int
}

// watchAll adds a handler that counts.
func watchAll(informer cache.SharedIndexInformer) *tally {
	seen := &tally{known: map[string]int{}}
	change := func(do func()) {
		seen.lock.Lock()
		defer seen.lock.Unlock()
		do()
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { change(func() { seen.adds++ }) },
		UpdateFunc: func(old, fresh any) {
			before, _ := meta.Accessor(old)
			after, _ := meta.Accessor(fresh)
			change(func() {
				if before.GetResourceVersion() == after.GetResourceVersion() {
					seen.resyncs++
					seen.known[after.GetName()]++
				} else {
					seen.updates++
				}
			})
		},
		DeleteFunc: func(any) { change(func() { seen.deletes++ }) },
	})
	if err != nil {
		panic(err)
	}
	return seen
}

func (t *tally) show() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return fmt.Sprintf("%d added, %d updated, %d deleted;", t.adds, t.updates, t.deletes)
}

// names is how many objects were told of again without a change.
func (t *tally) names() int {
	t.lock.Lock()
	defer t.lock.Unlock()
	return len(t.known)
}

func poll(ctx context.Context, done func() (bool, string)) error {
	for {
		ready, state := done()
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("given up with %s", state)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// until waits for these counts, and a moment longer for what must not come.
func (t *tally) until(ctx context.Context, adds, updates, deletes int) error {
	err := poll(ctx, func() (bool, string) {
		state := t.show()
		t.lock.Lock()
		defer t.lock.Unlock()
		return t.adds >= adds && t.updates >= updates && t.deletes >= deletes, state
	})
	time.Sleep(100 * time.Millisecond)
	return err
}

func (t *tally) untilResynced(ctx context.Context, times int) error {
	return poll(ctx, func() (bool, string) {
		t.lock.Lock()
		defer t.lock.Unlock()
		return t.resyncs >= times, fmt.Sprint(t.resyncs, " resyncs")
	})
}

func (t *tally) untilCache(ctx context.Context, informer cache.SharedIndexInformer, wanted string) error {
	return poll(ctx, func() (bool, string) {
		found := contents(informer)
		return found == wanted, found
	})
}

// contents is what an informer's cache holds: names and values of config maps, or of custom resources.
func contents(informer cache.SharedIndexInformer) string {
	var found []string
	for _, object := range informer.GetStore().List() {
		switch one := object.(type) {
		case *corev1.ConfigMap:
			found = append(found, one.Name+"="+one.Data["value"])
		case *unstructured.Unstructured:
			value, _, _ := unstructured.NestedString(one.Object, "spec", "value")
			found = append(found, one.GetName()+"="+value)
		}
	}
	sort.Strings(found)
	return strings.Join(found, " ")
}

func sortedPods(pods []*corev1.Pod) []*corev1.Pod {
	sort.Slice(pods, func(a, b int) bool { return pods[a].Name < pods[b].Name })
	return pods
}

func reasons(pod *corev1.Pod) string {
	var found []string
	for _, one := range pod.Status.Conditions {
		found = append(found, fmt.Sprintf("%s=%s/%s", one.Type, one.Status, one.Reason))
	}
	return strings.Join(found, ",")
}
