package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// process is a replica that was started.
type process struct {
	name    string
	command *exec.Cmd
	leading chan struct{}
}

// story is what the program needs to tell it.
type story struct {
	client.Client
	ctx       context.Context
	namespace string
}

func tell(namespace string) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	api, err := client.New(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s := &story{api, ctx, namespace}
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.replicas(); err != nil {
		return err
	}
	return s.tidy()
}

func (s *story) replicas() error {
	a, err := s.start("a")
	if err != nil {
		return err
	}
	defer a.kill()
	if err := a.lead(); err != nil {
		return err
	}
	b, err := s.start("b")
	if err != nil {
		return err
	}
	defer b.kill()
	if err := s.widgets("first", 3, "a"); err != nil {
		return err
	}
	if b.leads() {
		return fmt.Errorf("two leaders")
	}
	s.lease("while a leads")
	a.end(syscall.SIGTERM)
	if err := b.lead(); err != nil {
		return err
	}
	s.lease("after a ended")
	if err := s.widgets("second", 2, "b"); err != nil {
		return err
	}
	if err := s.resize("first-0", 7); err != nil {
		return err
	}
	c, err := s.start("c")
	if err != nil {
		return err
	}
	defer c.kill()
	b.end(syscall.SIGKILL)
	if err := c.lead(); err != nil {
		return err
	}
	s.lease("after b was killed")
	if err := s.children(); err != nil {
		return err
	}
	if err := s.deletions(); err != nil {
		return err
	}
	c.end(syscall.SIGTERM)
	s.lease("after c ended")
	return nil
}

func (s *story) start(name string) (*process, error) {
	command := exec.Command(os.Args[0], s.namespace, name)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	one := &process{name, command, make(chan struct{})}
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if lines.Text() == "leading" {
				close(one.leading)
			}
		}
	}()
	return one, nil
}

func (p *process) leads() bool {
	select {
	case <-p.leading:
		return true
	default:
		return false
	}
}

func (p *process) lead() error {
	select {
	case <-p.leading:
		fmt.Println(p.name, "leads")
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s does not lead", p.name)
	}
}

func (p *process) kill() { _ = p.command.Process.Kill() }

func (p *process) end(signal syscall.Signal) {
	_ = p.command.Process.Signal(signal)
	_ = p.command.Wait()
	fmt.Println(p.name, "ended")
}

// until repeats a look until it finds what it looks for.
func (s *story) until(what string, look func() (bool, string)) error {
	deadline := time.Now().Add(patience)
	for {
		found, state := look()
		if found {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not %s: %s", what, state)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *story) lease(when string) {
	found := &coordinationv1.Lease{}
	if err := s.Get(s.ctx, client.ObjectKey{Namespace: s.namespace, Name: lease}, found); err != nil {
		fmt.Println("lease", when, apierrors.ReasonForError(err))
		return
	}
	held := found.Spec.HolderIdentity != nil && *found.Spec.HolderIdentity != ""
	fmt.Printf("lease %s: held %t, %d s, transitions %d\n", when, held, *found.Spec.LeaseDurationSeconds, *found.Spec.LeaseTransitions)
}

func (s *story) widgets(prefix string, count int, by string) error {
	for i := range count {
		one := widget()
		one.SetNamespace(s.namespace)
		one.SetName(fmt.Sprintf("%s-%d", prefix, i))
		_ = unstructured.SetNestedField(one.Object, int64(i+1), "spec", "size")
		if err := s.Create(s.ctx, one); err != nil {
			return err
		}
		if err := s.settled(one.GetName(), by); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) settled(name, by string) error {
	return s.until(name+" settled", func() (bool, string) {
		one := widget()
		if err := s.Get(s.ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, one); err != nil {
			return false, err.Error()
		}
		seen, _, _ := unstructured.NestedInt64(one.Object, "status", "observedGeneration")
		made, _, _ := unstructured.NestedString(one.Object, "status", "madeBy")
		return seen == one.GetGeneration() && made == by, fmt.Sprint(one.Object["status"])
	})
}

func (s *story) resize(name string, size int64) error {
	one := widget()
	one.SetNamespace(s.namespace)
	one.SetName(name)
	patch := []byte(fmt.Sprintf(`{"spec":{"size":%d}}`, size))
	if err := s.Patch(s.ctx, one, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		return err
	}
	return s.settled(name, "b")
}

// children tells what the replicas made, and that a child which goes comes again.
func (s *story) children() error {
	gone := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "second-1"}}
	if err := s.Delete(s.ctx, gone); err != nil {
		return err
	}
	if err := s.settled("second-1", "c"); err != nil {
		return err
	}
	all := widget()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(all.GroupVersionKind())
	if err := s.List(s.ctx, list, client.InNamespace(s.namespace)); err != nil {
		return err
	}
	for _, one := range list.Items {
		child := &corev1.ConfigMap{}
		if err := s.Get(s.ctx, client.ObjectKeyFromObject(&one), child); err != nil {
			return err
		}
		owner := metav1.GetControllerOf(child)
		fmt.Println(" ", one.GetName(), "generation", one.GetGeneration(), one.GetFinalizers(), "size", child.Data["size"],
			"by", child.Data["by"], "owner", owner.Kind, owner.UID == one.GetUID())
	}
	return nil
}

func (s *story) deletions() error {
	one := widget()
	one.SetNamespace(s.namespace)
	one.SetName("first-0")
	if err := s.Delete(s.ctx, one); err != nil {
		return err
	}
	err := s.until("collected", func() (bool, string) {
		err := s.Get(s.ctx, client.ObjectKeyFromObject(one), &corev1.ConfigMap{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	if err != nil {
		return err
	}
	fmt.Println("first-0 is gone, and its child with it")
	var seen []string
	err = s.until("told", func() (bool, string) {
		seen = nil
		events := &corev1.EventList{}
		if err := s.List(s.ctx, events, client.InNamespace(s.namespace)); err != nil {
			return false, err.Error()
		}
		for _, event := range events.Items {
			if event.InvolvedObject.Kind == "Widget" && event.InvolvedObject.Name == "first-0" {
				seen = append(seen, fmt.Sprintf("  %s %s: %s (%s)", event.Type, event.Reason, event.Message, event.Source.Component))
			}
		}
		return len(seen) >= 3, fmt.Sprint(seen)
	})
	sort.Strings(seen)
	fmt.Println(strings.Join(seen, "\n"))
	return err
}
