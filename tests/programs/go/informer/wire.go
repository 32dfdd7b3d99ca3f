package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// unreliable is a transport that counts lists, ends watches in the middle, and sends one watch back to the first revision.
type unreliable struct {
	lock     sync.Mutex
	listed   int
	watching map[string]int
	open     []*stream
	expire   bool
	answer   string
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func (u *unreliable) wrap(inner http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		query := request.URL.Query()
		if request.Method != http.MethodGet {
			return inner.RoundTrip(request)
		}
		if query.Get("watch") == "" {
			u.change(func() { u.listed++ })
			return inner.RoundTrip(request)
		}
		expired := false
		u.change(func() { expired, u.expire = u.expire, false })
		if expired {
			request = request.Clone(request.Context())
			query.Set("resourceVersion", "1")
			query.Del("sendInitialEvents")
			query.Del("resourceVersionMatch")
			request.URL.RawQuery = query.Encode()
		}
		response, err := inner.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		if expired {
			return u.note(response)
		}
		body := &stream{ReadCloser: response.Body}
		u.change(func() {
			if u.watching == nil {
				u.watching = map[string]int{}
			}
			u.watching[strings.TrimPrefix(query.Get("labelSelector"), "group=")]++
			u.open = append(u.open, body)
		})
		response.Body = body
		return response, nil
	})
}

func (u *unreliable) change(do func()) {
	u.lock.Lock()
	defer u.lock.Unlock()
	do()
}

// note keeps what the server said to a watch from the first revision: a refusal, or a stream whose first event is one.
func (u *unreliable) note(response *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var event struct {
		Type   string
		Object metav1.Status
	}
	answer := response.Status
	if json.Unmarshal(body, &event) == nil && event.Type != "" {
		words := strings.SplitN(event.Object.Message, ":", 2)
		answer = event.Type + " " + string(event.Object.Reason) + ", " + words[0]
	}
	u.change(func() { u.answer = answer })
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

func (u *unreliable) lists() (count int) {
	u.change(func() { count = u.listed })
	return count
}

func (u *unreliable) expiredAnswer() (answer string) {
	u.change(func() { answer = u.answer })
	return answer
}

func (u *unreliable) expireNext() { u.change(func() { u.expire = true }) }

// breakWatches breaks every stream that is open.
func (u *unreliable) breakWatches() { u.end(io.ErrUnexpectedEOF) }

// endWatches ends every stream that is open, as a server does that has had enough.
func (u *unreliable) endWatches() { u.end(io.EOF) }

func (u *unreliable) end(how error) {
	var open []*stream
	u.change(func() { open, u.open = u.open, nil })
	for _, one := range open {
		one.how.Store(&how)
		_ = one.Close()
	}
}

// stream is a body whose end can be decided.
type stream struct {
	io.ReadCloser
	how atomic.Pointer[error]
}

func (s *stream) Read(into []byte) (int, error) {
	count, err := s.ReadCloser.Read(into)
	if how := s.how.Load(); how != nil {
		return 0, *how
	}
	return count, err
}

func (u *unreliable) untilWatching(ctx context.Context, group string) error {
	return poll(ctx, func() (watching bool, state string) {
		u.change(func() { watching = u.watching[group] > 0 })
		return watching, "no watch"
	})
}

func (u *unreliable) untilExpired(ctx context.Context) error {
	return poll(ctx, func() (bool, string) { return u.expiredAnswer() != "", "no answer" })
}
