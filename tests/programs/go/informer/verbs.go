package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/util/retry"
)

// say tells of an error as a program sees it.
func say(w *world, err error) string {
	if err == nil {
		return "no error"
	}
	status := apierrors.APIStatus(nil)
	if found, ok := err.(apierrors.APIStatus); ok {
		status = found
	}
	if status == nil {
		return "another error"
	}
	told := status.Status()
	var causes []string
	if told.Details != nil {
		for _, cause := range told.Details.Causes {
			causes = append(causes, string(cause.Type)+" "+cause.Field)
		}
	}
	sort.Strings(causes)
	return fmt.Sprintf("%d %s %q %v", told.Code, told.Reason, strings.ReplaceAll(told.Message, w.namespace, "NAMESPACE"), causes)
}

// verbs uses what the typed clients of built-in kinds have beside the usual.
func verbs(ctx context.Context, w *world) error {
	maps := w.plain.CoreV1().ConfigMaps(w.namespace)
	made := configMap("", "verbs", "0")
	made.GenerateName = "drawn-"
	drawn, err := maps.Create(ctx, made, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	fmt.Println("drawn:", strings.HasPrefix(drawn.Name, "drawn-"), len(drawn.Name), drawn.UID != "", drawn.Generation)
	dry, err := maps.Create(ctx, configMap("dry", "verbs", "0"), metav1.CreateOptions{DryRun: []string{"All"}})
	if err != nil {
		return err
	}
	_, err = maps.Get(ctx, "dry", metav1.GetOptions{})
	fmt.Println("dry:", dry.ResourceVersion == "", apierrors.IsNotFound(err), say(w, err))
	// Whoever comes second has to read again.
	first, second := drawn.DeepCopy(), drawn.DeepCopy()
	first.Data["value"], second.Data["value"] = "1", "2"
	if _, err := maps.Update(ctx, first, metav1.UpdateOptions{}); err != nil {
		return err
	}
	_, err = maps.Update(ctx, second, metav1.UpdateOptions{})
	fmt.Println("stale:", apierrors.IsConflict(err), strings.Contains(fmt.Sprint(err), "the object has been modified"))
	tries := 0
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if tries++; tries > 1 {
			if second, err = maps.Get(ctx, drawn.Name, metav1.GetOptions{}); err != nil {
				return err
			}
		}
		second.Data["value"] = "3"
		_, err := maps.Update(ctx, second, metav1.UpdateOptions{})
		return err
	})
	fmt.Println("retried:", err, tries)
	uid := types.UID("00000000-0000-0000-0000-000000000000")
	err = maps.Delete(ctx, drawn.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	fmt.Println("another's uid:", apierrors.IsConflict(err))
	err = maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "group in (verbs, none)"})
	left, _ := maps.List(ctx, metav1.ListOptions{LabelSelector: "group=verbs"})
	fmt.Println("collection:", err, len(left.Items))
	long := configMap("long", "verbs", "0")
	long.Labels["group"] = strings.Repeat("x", 64)
	_, err = maps.Create(ctx, long, metav1.CreateOptions{})
	fmt.Println("label:", say(w, err))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "tls"}, Type: corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": {}}}
	_, err = w.plain.CoreV1().Secrets(w.namespace).Create(ctx, secret, metav1.CreateOptions{})
	fmt.Println("secret:", say(w, err))
	page, err := w.plain.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{Limit: 2})
	if err != nil {
		return err
	}
	fmt.Println("page:", len(page.Items), page.Continue != "", page.RemainingItemCount != nil)
	return w.mapped(ctx)
}

// mapped asks discovery as kubectl does.
func (w *world) mapped(context.Context) error {
	groups, err := restmapper.GetAPIGroupResources(w.plain.Discovery())
	if err != nil {
		return err
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	for _, resource := range []string{"deployments", "ingresses", "horizontalpodautoscalers", "leases", "widgetsofnobody"} {
		kind, err := mapper.KindFor(schema.GroupVersionResource{Resource: resource})
		fmt.Println("mapped:", resource, kind.String(), err)
	}
	return nil
}

// applies owns fields by typed apply configurations.
func applies(ctx context.Context, w *world) error {
	deployments := w.plain.AppsV1().Deployments(w.namespace)
	labels := map[string]string{"app": "applied"}
	container := coreapply.Container().WithName("main").WithImage("registry.example/none:1")
	wanted := appsapply.Deployment("applied", w.namespace).WithSpec(appsapply.DeploymentSpec().
		WithReplicas(0).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithSchedulerName("nobody").WithContainers(container))))
	made, err := deployments.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "one"})
	if err != nil {
		return err
	}
	fmt.Println("applied:", made.Generation, made.Spec.Template.Spec.Containers[0].TerminationMessagePath)
	other := appsapply.Deployment("applied", w.namespace).WithSpec(appsapply.DeploymentSpec().WithReplicas(1))
	_, err = deployments.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "two"})
	fmt.Println("conflict:", say(w, err))
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "applied"}, Spec: autoscalingv1.ScaleSpec{Replicas: 2}}
	scale, err = deployments.UpdateScale(ctx, "applied", scale, metav1.UpdateOptions{FieldManager: "scaler"})
	if err != nil {
		return err
	}
	fmt.Println("scale:", scale.Spec.Replicas, scale.Status.Selector)
	if made, err = deployments.Get(ctx, "applied", metav1.GetOptions{}); err != nil {
		return err
	}
	extracted, err := appsapply.ExtractDeployment(made, "one")
	if err != nil {
		return err
	}
	fmt.Println("extracted:", extracted.Spec.Replicas != nil, *extracted.Spec.Template.Spec.Containers[0].Image)
	// What one manager no longer applies stays if another has it.
	wanted.Spec.Template.Spec.Containers[0].WithImage("registry.example/none:2")
	wanted.Spec.Replicas = nil
	if made, err = deployments.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "one"}); err != nil {
		return err
	}
	fmt.Println("again:", made.Generation, *made.Spec.Replicas, made.Spec.Template.Spec.Containers[0].Image)
	return nil
}

// identities asks who it is and what that may do.
func identities(ctx context.Context, w *world) error {
	accounts := w.plain.CoreV1().ServiceAccounts(w.namespace)
	if _, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "robot"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods", "pods/log"}, Verbs: []string{"get", "list"}}},
	}
	if _, err := w.plain.RbacV1().Roles(w.namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "robot"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "robot"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "robot", Namespace: w.namespace}},
	}
	if _, err := w.plain.RbacV1().RoleBindings(w.namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	hour := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour, Audiences: []string{"vault"}}}
	granted, err := accounts.CreateToken(ctx, "robot", request, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	for _, audiences := range [][]string{{"vault"}, {"others"}} {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: granted.Status.Token, Audiences: audiences}}
		told, err := w.plain.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		user := strings.ReplaceAll(told.Status.User.Username, w.namespace, "NAMESPACE")
		fmt.Println("token for", audiences, told.Status.Authenticated, user, len(told.Status.User.Groups), told.Status.Audiences)
	}
	for _, verb := range []string{"list", "delete"} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + w.namespace + ":robot",
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: w.namespace, Verb: verb, Resource: "pods", Subresource: "log"},
		}}
		told, err := w.plain.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		fmt.Println("may", verb, told.Status.Allowed, strings.ReplaceAll(told.Status.Reason, w.namespace, "NAMESPACE"))
	}
	return nil
}
