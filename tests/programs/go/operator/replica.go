package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	group     = "programs.dryarc.dev"
	finalizer = group + "/cleanup"
	lease     = "widgets"
)

func widget() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Widget"})
	return object
}

// serve runs one replica until ctx ends; it says `leading` on its output when it does.
func serve(ctx context.Context, namespace, replica string) error {
	ctrl.SetLogger(klog.Background())
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	duration, renew, retry := 3*time.Second, 2*time.Second, 300*time.Millisecond
	grace := 2 * time.Second
	all, err := ctrl.NewManager(config, manager.Options{
		LeaderElection:                true,
		LeaderElectionID:              lease,
		LeaderElectionNamespace:       namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &duration,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
		GracefulShutdownTimeout:       &grace,
		Metrics:                       server.Options{BindAddress: "0"},
		Cache:                         cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
	})
	if err != nil {
		return err
	}
	go func() {
		<-all.Elected()
		fmt.Println("leading")
	}()
	worker := &reconciler{all.GetClient(), all.GetEventRecorderFor("widgets"), replica}
	if err := ctrl.NewControllerManagedBy(all).For(widget()).Owns(&corev1.ConfigMap{}).Complete(worker); err != nil {
		return err
	}
	return all.Start(ctx)
}

// reconciler keeps a config map of the same name for every widget, and says in the widget's status what it did.
type reconciler struct {
	client.Client
	events  record.EventRecorder
	replica string
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	one := widget()
	if err := r.Get(ctx, request.NamespacedName, one); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !one.GetDeletionTimestamp().IsZero() {
		r.events.Eventf(one, corev1.EventTypeNormal, "Cleaned", "cleaned by %s", r.replica)
		if controllerutil.RemoveFinalizer(one, finalizer) {
			return ctrl.Result{}, r.Update(ctx, one)
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(one, finalizer) {
		return ctrl.Result{}, r.Update(ctx, one)
	}
	size, _, _ := unstructured.NestedInt64(one.Object, "spec", "size")
	child := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: one.GetName(), Namespace: one.GetNamespace()}}
	done, err := controllerutil.CreateOrUpdate(ctx, r.Client, child, func() error {
		wanted := fmt.Sprint(size)
		if child.Data["size"] != wanted {
			child.Data = map[string]string{"size": wanted, "by": r.replica}
		}
		return controllerutil.SetControllerReference(one, child, r.Scheme())
	})
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: 10 * time.Millisecond}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if done != controllerutil.OperationResultNone {
		r.events.Eventf(one, corev1.EventTypeNormal, "Made", "size %d %s by %s", size, done, r.replica)
	}
	return ctrl.Result{}, r.report(ctx, one, child)
}

func (r *reconciler) report(ctx context.Context, one *unstructured.Unstructured, child *corev1.ConfigMap) error {
	before := one.DeepCopy()
	_ = unstructured.SetNestedField(one.Object, one.GetGeneration(), "status", "observedGeneration")
	_ = unstructured.SetNestedField(one.Object, child.Data["by"], "status", "madeBy")
	return client.IgnoreNotFound(r.Status().Patch(ctx, one, client.MergeFrom(before)))
}
