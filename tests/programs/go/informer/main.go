// Command informer keeps caches of config maps and pods with client-go's shared informers, and prints what they saw.
//
// It is the same on every API server: what it prints has no names, times or revisions that a server draws. The transport
// breaks watches on purpose, and makes one of them ask for a revision that is long gone.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const patience = 60 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: informer NAMESPACE")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "informer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, namespace string) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 500
	// Most programs around client-go ask for protobuf.
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	plain, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	wire := &unreliable{}
	config.Wrap(wire.wrap)
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	broken, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	custom, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := plain.CoreV1().Namespaces().Create(ctx, made, metav1.CreateOptions{}); err != nil {
		return err
	}
	for _, part := range []func(context.Context, *world) error{
		counts, resync, selectors, brokenWatch, pods, verbs, applies, identities, expiredWatch,
	} {
		// The informers of a part end with it.
		inner, end := context.WithCancel(ctx)
		err := part(inner, &world{plain, broken, custom, wire, namespace})
		end()
		if err != nil {
			return err
		}
	}
	return plain.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{})
}

// world is what every part works with: a client that speaks protobuf, one whose connections break and one of any kind with such
// connections, and a namespace.
type world struct {
	plain, broken kubernetes.Interface
	custom        dynamic.Interface
	wire          *unreliable
	namespace     string
}

func configMap(name, group, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"group": group}},
		Data:       map[string]string{"value": value},
	}
}

func (w *world) create(ctx context.Context, group string, count int) error {
	for i := range count {
		made := configMap(fmt.Sprintf("%s-%d", group, i), group, "0")
		if _, err := w.plain.CoreV1().ConfigMaps(w.namespace).Create(ctx, made, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) update(ctx context.Context, group string, count int, value string) error {
	for i := range count {
		changed := configMap(fmt.Sprintf("%s-%d", group, i), group, value)
		if _, err := w.plain.CoreV1().ConfigMaps(w.namespace).Update(ctx, changed, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) remove(ctx context.Context, group string, from, to int) error {
	for i := from; i < to; i++ {
		name := fmt.Sprintf("%s-%d", group, i)
		if err := w.plain.CoreV1().ConfigMaps(w.namespace).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// informer starts a shared informer on the config maps of a group.
func (w *world) informer(ctx context.Context, client kubernetes.Interface, group string, every time.Duration) (*tally, cache.SharedIndexInformer) {
	only := informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = "group=" + group })
	factory := informers.NewSharedInformerFactoryWithOptions(client, every, informers.WithNamespace(w.namespace), only)
	informer := factory.Core().V1().ConfigMaps().Informer()
	seen := watchAll(informer)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return seen, informer
}

func counts(ctx context.Context, w *world) error {
	if err := w.create(ctx, "counts", 3); err != nil {
		return err
	}
	seen, informer := w.informer(ctx, w.plain, "counts", 0)
	if err := seen.until(ctx, 3, 0, 0); err != nil {
		return err
	}
	fmt.Println("counts: synced with", seen.show())
	if err := w.remove(ctx, "counts", 0, 3); err != nil {
		return err
	}
	if err := w.create(ctx, "counts", 40); err != nil {
		return err
	}
	for _, value := range []string{"1", "2", "3"} {
		if err := w.update(ctx, "counts", 40, value); err != nil {
			return err
		}
	}
	if err := w.remove(ctx, "counts", 10, 40); err != nil {
		return err
	}
	if err := seen.until(ctx, 43, 120, 33); err != nil {
		return err
	}
	fmt.Println("counts: in the end", seen.show())
	fmt.Println("counts: in the cache", contents(informer))
	return nil
}

func resync(ctx context.Context, w *world) error {
	if err := w.create(ctx, "resync", 3); err != nil {
		return err
	}
	seen, _ := w.informer(ctx, w.plain, "resync", 1100*time.Millisecond)
	if err := seen.untilResynced(ctx, 6); err != nil {
		return err
	}
	fmt.Println("resync: every object came again, unchanged, of", seen.names(), "objects")
	return nil
}

func selectors(ctx context.Context, w *world) error {
	if err := w.create(ctx, "selectors", 2); err != nil {
		return err
	}
	seen, informer := w.informer(ctx, w.plain, "selectors", 0)
	if err := informer.AddIndexers(cache.Indexers{"value": func(object any) ([]string, error) {
		return []string{object.(*corev1.ConfigMap).Data["value"]}, nil
	}}); err != nil {
		return err
	}
	maps := w.plain.CoreV1().ConfigMaps(w.namespace)
	relabel := func(name, group string) error {
		patch := []byte(fmt.Sprintf(`{"metadata":{"labels":{"group":%q}}}`, group))
		_, err := maps.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	}
	// An object that no more fits the selector leaves as if it were deleted, and comes back as if it were new.
	if err := relabel("selectors-0", "elsewhere"); err != nil {
		return err
	}
	if err := relabel("selectors-0", "selectors"); err != nil {
		return err
	}
	if err := w.update(ctx, "selectors", 1, "new"); err != nil {
		return err
	}
	if err := seen.until(ctx, 3, 1, 1); err != nil {
		return err
	}
	indexed, err := informer.GetIndexer().ByIndex("value", "new")
	if err != nil {
		return err
	}
	fmt.Println("selectors:", seen.show(), "with the new value:", len(indexed))
	return nil
}

func brokenWatch(ctx context.Context, w *world) error {
	if err := w.create(ctx, "broken", 2); err != nil {
		return err
	}
	seen, informer := w.informer(ctx, w.broken, "broken", 0)
	for round := range 5 {
		if err := w.update(ctx, "broken", 2, fmt.Sprint("round ", round)); err != nil {
			return err
		}
		if err := seen.until(ctx, 2, 2*(round+1), 0); err != nil {
			return err
		}
		// The stream ends after what was sent, and the next update comes while nobody watches.
		w.wire.endWatches()
	}
	fmt.Println("ended watches:", seen.show(), "in the cache", contents(informer), "lists", w.wire.lists())
	w.wire.breakWatches()
	if err := w.update(ctx, "broken", 2, "late"); err != nil {
		return err
	}
	if err := seen.untilCache(ctx, informer, "broken-0=late broken-1=late"); err != nil {
		return err
	}
	fmt.Println("a broken watch:", seen.show())
	return nil
}

func pods(ctx context.Context, w *world) error {
	factory := informers.NewSharedInformerFactoryWithOptions(w.plain, 0, informers.WithNamespace(w.namespace))
	informer := factory.Core().V1().Pods().Informer()
	if err := informer.SetTransform(func(object any) (any, error) {
		if pod, ok := object.(*corev1.Pod); ok {
			pod.ManagedFields = nil
		}
		return object, nil
	}); err != nil {
		return err
	}
	seen := watchAll(informer)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	client := w.plain.CoreV1().Pods(w.namespace)
	for i := range 3 {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", i), Labels: map[string]string{"app": "pods"}},
			// A node that is not there: nobody touches the pod but this program.
			Spec: corev1.PodSpec{
				SchedulerName: "nobody",
				Containers:    []corev1.Container{{Name: "main", Image: "registry.example/none:1"}},
			},
		}
		if _, err := client.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Told"}]}}`)
	if _, err := client.Patch(ctx, "pod-0", types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	now := int64(0)
	if err := client.Delete(ctx, "pod-1", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		return err
	}
	if err := seen.until(ctx, 3, 1, 1); err != nil {
		return err
	}
	found, err := factory.Core().V1().Pods().Lister().Pods(w.namespace).List(labels.SelectorFromSet(labels.Set{"app": "pods"}))
	if err != nil {
		return err
	}
	fmt.Println("pods:", seen.show(), "listed", len(found))
	for _, pod := range sortedPods(found) {
		fmt.Printf("  %s %s %s %s fields of managers: %d\n", pod.Name, pod.Status.Phase, pod.Status.QOSClass, reasons(pod), len(pod.ManagedFields))
	}
	return nil
}
