package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/time/rate"
)

const (
	defaultLimit, mostLimit = 50, 200
	uuidLength              = 36 // 8-4-4-4-12; uuid.Parse takes other spellings too
)

// store is what the handlers ask: users in PostgreSQL, or a test's.
type store interface {
	find(ctx context.Context, id pgtype.UUID) (user, error)
	list(ctx context.Context, limit, offset int64) (page, error)
	ping(ctx context.Context) error
}

type api struct {
	store store
	// A table that is gone fails every request.
	failures rate.Sometimes
}

func routes(store store) http.Handler {
	a := &api{store: store, failures: rate.Sometimes{First: 10, Interval: time.Second}}
	router := chi.NewRouter()
	router.Use(decoded)
	router.NotFound(notFound)
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		// chi comes here with a method it does not know whatever the path is.
		if !router.Match(chi.NewRouteContext(), http.MethodGet, r.URL.Path) {
			notFound(w, r)
			return
		}
		w.Header()["Allow"] = []string{"GET, HEAD"}
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed")
	})
	for path, handler := range map[string]http.HandlerFunc{
		"/healthz":    a.health,
		"/readyz":     a.ready,
		"/users":      a.list,
		"/users/{id}": a.find,
	} {
		router.Get(path, handler)
		router.Head(path, handler)
	}
	return router
}

// decoded makes chi route by the decoded path, and refuses a query with a malformed escape; a path with one has
// not come this far.
func decoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := url.PathUnescape(r.URL.RawQuery); err != nil {
			refuse(w, http.StatusBadRequest, "invalid_escape")
			return
		}
		r.URL.RawPath = ""
		next.ServeHTTP(w, r)
	})
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) { ok(w) }

func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := deadline(r, readyLimit)
	defer cancel()
	if err := a.store.ping(ctx); err != nil {
		unavailable(w)
		return
	}
	ok(w)
}

func (a *api) find(w http.ResponseWriter, r *http.Request) {
	text := chi.URLParam(r, "id")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != uuidLength {
		refuse(w, http.StatusBadRequest, "invalid_id")
		return
	}
	ctx, cancel := deadline(r, queryLimit)
	defer cancel()
	found, err := a.store.find(ctx, pgtype.UUID{Bytes: id, Valid: true})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	sendJSON(w, func(body []byte) ([]byte, error) { return appendUser(body, &found) })
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	limit, valid := parameter(r.URL.RawQuery, "limit", defaultLimit)
	if !valid || limit < 1 || limit > mostLimit {
		refuse(w, http.StatusBadRequest, "invalid_limit")
		return
	}
	offset, valid := parameter(r.URL.RawQuery, "offset", 0)
	if !valid {
		refuse(w, http.StatusBadRequest, "invalid_offset")
		return
	}
	ctx, cancel := deadline(r, queryLimit)
	defer cancel()
	found, err := a.store.list(ctx, limit, offset)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	sendJSON(w, func(body []byte) ([]byte, error) { return appendPage(body, &found, limit, offset) })
}

// parameter is the one of this name, digits alone, from 0 to 2^63-1; valid when it is not there. url.ParseQuery
// is no help: to it `+` is a blank and `;` an error.
func parameter(query, name string, otherwise int64) (value int64, valid bool) {
	value, seen := otherwise, false
	if query == "" {
		return value, true
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, text, _ := strings.Cut(pair, "=")
		if key, err := url.PathUnescape(key); err != nil || key != name {
			continue
		}
		text, err := url.PathUnescape(text)
		if err != nil || seen {
			return 0, false
		}
		number, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return 0, false
		}
		value, seen = int64(number), true
	}
	return value, true
}

// deadline does not end when the client leaves: pgx would cancel its query, and PostgreSQL be asked twice. The
// query is short, and the connection good for the next one.
func deadline(r *http.Request, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), limit-cancelSlack)
}

func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNotFound) {
		notFound(w, r)
		return
	}
	state := "-"
	if server, is := errors.AsType[*pgconn.PgError](err); is {
		state = server.Code
	}
	a.failures.Do(func() {
		slog.Error("query_failed", "path", r.URL.Path, "sqlstate", state, "why", err.Error())
	})
	if errors.Is(err, errUnavailable) {
		unavailable(w)
		return
	}
	refuse(w, http.StatusInternalServerError, "internal")
}

func ok(w http.ResponseWriter) { send(w, http.StatusOK, []byte(`{"status":"ok"}`)) }

func unavailable(w http.ResponseWriter) {
	w.Header()["Retry-After"] = []string{"1"}
	refuse(w, http.StatusServiceUnavailable, "unavailable")
}

func notFound(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not_found") }

func refuse(w http.ResponseWriter, status int, reason string) {
	send(w, status, []byte(`{"error":"`+reason+`"}`))
}

var bodies = sync.Pool{New: func() any { return new(make([]byte, 0, 1024)) }}

// sendJSON answers with what write appends, in a buffer that is used again: net/http has copied it on return.
func sendJSON(w http.ResponseWriter, write func([]byte) ([]byte, error)) {
	buffer := bodies.Get().(*[]byte)
	defer bodies.Put(buffer)
	body, err := write((*buffer)[:0])
	*buffer = body
	if err != nil {
		slog.Error("answer_failed", "why", err.Error())
		refuse(w, http.StatusInternalServerError, "internal")
		return
	}
	send(w, http.StatusOK, body)
}

var jsonType = []string{"application/json"} // shared by all answers: nothing appends to it

func send(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // net/http drops it for HEAD; a client that has left needs no answer
}
