package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	someID   = "123e4567-e89b-12d3-a456-426614174000"
	someJSON = `{"id":"123e4567-e89b-12d3-a456-426614174000","email":"user1@example.com","full_name":"User 1","age":25,` +
		`"country_code":"US","is_active":true,"created_at":"2026-01-31T08:00:00Z"}`
)

func someUser() user {
	return user{
		id:          pgtype.UUID{Bytes: uuid.MustParse(someID), Valid: true},
		email:       pgtype.Text{String: "user1@example.com", Valid: true},
		fullName:    pgtype.Text{String: "User 1", Valid: true},
		age:         pgtype.Int4{Int32: 25, Valid: true},
		countryCode: pgtype.Text{String: "US", Valid: true},
		isActive:    pgtype.Bool{Bool: true, Valid: true},
		createdAt:   pgtype.Timestamptz{Time: time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC), Valid: true},
	}
}

// fakeStore holds the one user; each call waits for `hold` when there is one.
type fakeStore struct {
	err  error
	hold chan struct{}
}

func (f *fakeStore) wait(ctx context.Context) error {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return errors.Join(errUnavailable, ctx.Err())
		}
	}
	return f.err
}

func (f *fakeStore) find(ctx context.Context, id pgtype.UUID) (user, error) {
	if err := f.wait(ctx); err != nil {
		return user{}, err
	}
	if some := someUser(); id == some.id {
		return some, nil
	}
	return user{}, errNotFound
}

func (f *fakeStore) list(ctx context.Context, limit, offset int64) (page, error) {
	found := page{total: 1}
	if offset == 0 {
		found.items = []user{someUser()}
	}
	return found, f.wait(ctx)
}

func (f *fakeStore) ping(ctx context.Context) error { return f.wait(ctx) }

// ask sends a request as it is written: http.Client would mend the target.
func ask(t *testing.T, address, method, target string) (*http.Response, string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", method, target)
	request, _ := http.NewRequest(method, "http://test/", nil)
	response, err := http.ReadResponse(bufio.NewReader(connection), request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return response, string(body)
}

func pageJSON(limit, offset string) string {
	items := someJSON
	if offset != "0" {
		items = ""
	}
	return `{"items":[` + items + `],"limit":` + limit + `,"offset":` + offset + `,"total":1}`
}

func problem(reason string) string { return `{"error":"` + reason + `"}` }

func TestAnswers(t *testing.T) {
	const okJSON = `{"status":"ok"}`
	upper := strings.ToUpper(someID)
	const escaped = "%31" // 1
	for _, c := range []struct {
		target string
		status int
		body   string
	}{
		{"/healthz", 200, okJSON},
		{"/readyz", 200, okJSON},
		{"/%72eadyz", 200, okJSON},
		{"http://elsewhere/healthz", 200, okJSON},
		{"/healthz?x=1", 200, okJSON},
		{"/healthz?x=%", 400, problem("invalid_escape")},
		{"/healthz?x=%4", 400, problem("invalid_escape")},
		{"/nope?x=%zz", 400, problem("invalid_escape")},
		{"/users/" + someID, 200, someJSON},
		{"/users/" + upper, 200, someJSON},
		{"/users/" + escaped + someID[1:], 200, someJSON},
		{"/users%2F" + someID, 200, someJSON},
		{"/users/" + someID + "?x=1&limit=0", 200, someJSON},
		{"/users/00000000-0000-0000-0000-000000000000", 404, problem("not_found")},
		{"/users/x", 400, problem("invalid_id")},
		{"/users/" + someID[1:], 400, problem("invalid_id")},
		{"/users/" + someID + "0", 400, problem("invalid_id")},
		{"/users/" + strings.ReplaceAll(someID, "-", ""), 400, problem("invalid_id")},
		{"/users/" + strings.ReplaceAll(someID, "-", "_"), 400, problem("invalid_id")},
		{"/users/{" + someID + "}", 400, problem("invalid_id")},
		{"/users/urn:uuid:" + someID, 400, problem("invalid_id")},
		{"/users/%ff", 400, problem("invalid_id")},
		{"/users/%00", 400, problem("invalid_id")},
		{"/users/..", 400, problem("invalid_id")},
		{"/users/", 404, problem("not_found")},
		{"/users/" + someID + "/", 404, problem("not_found")},
		{"/users/a%2Fb", 404, problem("not_found")},
		{"/users/../users", 404, problem("not_found")},
		{"/users/./" + someID, 404, problem("not_found")},
		{"//users", 404, problem("not_found")},
		{"/Users", 404, problem("not_found")},
		{"/users;x", 404, problem("not_found")},
		{"/", 404, problem("not_found")},
		{"/users", 200, pageJSON("50", "0")},
		{"/users?", 200, pageJSON("50", "0")},
		{"/users?limit=1", 200, pageJSON("1", "0")},
		{"/users?limit=200&offset=7", 200, pageJSON("200", "7")},
		{"/users?limit=007", 200, pageJSON("7", "0")},
		{"/users?limit=" + strings.Repeat("0", 40) + "5", 200, pageJSON("5", "0")},
		{"/users?%6Cimit=%35", 200, pageJSON("5", "0")},
		{"/users?LIMIT=0&x&&=1&limit=3", 200, pageJSON("3", "0")},
		{"/users?a;limit=5", 200, pageJSON("50", "0")},
		{"/users?offset=9223372036854775807", 200, pageJSON("50", "9223372036854775807")},
		{"/users?limit=0", 400, problem("invalid_limit")},
		{"/users?limit=201", 400, problem("invalid_limit")},
		{"/users?limit=", 400, problem("invalid_limit")},
		{"/users?limit", 400, problem("invalid_limit")},
		{"/users?limit=-1", 400, problem("invalid_limit")},
		{"/users?limit=+1", 400, problem("invalid_limit")},
		{"/users?limit=%2B1", 400, problem("invalid_limit")},
		{"/users?limit=%201", 400, problem("invalid_limit")},
		{"/users?limit=1.0", 400, problem("invalid_limit")},
		{"/users?limit=1_0", 400, problem("invalid_limit")},
		{"/users?limit=0x1", 400, problem("invalid_limit")},
		{"/users?limit=5;offset=3", 400, problem("invalid_limit")},
		{"/users?limit=1&limit=1", 400, problem("invalid_limit")},
		{"/users?limit=1&%6Cimit=1", 400, problem("invalid_limit")},
		{"/users?limit=18446744073709551617", 400, problem("invalid_limit")},
		{"/users?offset=-1&limit=0", 400, problem("invalid_limit")},
		{"/users?offset=-1", 400, problem("invalid_offset")},
		{"/users?offset=", 400, problem("invalid_offset")},
		{"/users?offset=1&offset=1", 400, problem("invalid_offset")},
		{"/users?offset=9223372036854775808", 400, problem("invalid_offset")},
	} {
		t.Run(c.target, func(t *testing.T) {
			server := httptest.NewServer(routes(&fakeStore{}))
			defer server.Close()
			address := server.Listener.Addr().String()
			response, body := ask(t, address, "GET", c.target)
			if response.StatusCode != c.status || body != c.body {
				t.Errorf("got %d %s, want %d %s", response.StatusCode, body, c.status, c.body)
			}
			if kind := response.Header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("Content-Type %q", kind)
			}
			head, body := ask(t, address, "HEAD", c.target)
			if head.StatusCode != c.status || body != "" || head.ContentLength != int64(len(c.body)) {
				t.Errorf("HEAD: got %d, length %d, %q", head.StatusCode, head.ContentLength, body)
			}
		})
	}
}

func TestOtherMethods(t *testing.T) {
	server := httptest.NewServer(routes(&fakeStore{}))
	defer server.Close()
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
		for _, target := range []string{"/healthz", "/users", "/users/x"} {
			response, body := ask(t, server.Listener.Addr().String(), method, target)
			if response.StatusCode != 405 || body != problem("method_not_allowed") {
				t.Errorf("%s %s: got %d %s", method, target, response.StatusCode, body)
			}
			if allow := response.Header.Get("Allow"); allow != "GET, HEAD" {
				t.Errorf("%s %s: Allow %q", method, target, allow)
			}
		}
		for _, target := range []string{"/", "/nope", "/users/"} {
			if response, body := ask(t, server.Listener.Addr().String(), method, target); response.StatusCode != 404 {
				t.Errorf("%s %s: got %d %s", method, target, response.StatusCode, body)
			}
		}
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		body   string
		retry  string
	}{
		{"outage", errors.Join(errUnavailable, io.EOF), 503, problem("unavailable"), "1"},
		{"no outage", &pgconn.PgError{Code: "42P01", Message: "no table"}, 500, problem("internal"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(routes(&fakeStore{err: c.err}))
			defer server.Close()
			for _, target := range []string{"/users", "/users/" + someID} {
				response, body := ask(t, server.Listener.Addr().String(), "GET", target)
				if response.StatusCode != c.status || body != c.body || response.Header.Get("Retry-After") != c.retry {
					t.Errorf("%s: got %d %s, Retry-After %q", target, response.StatusCode, body, response.Header.Get("Retry-After"))
				}
			}
			if response, body := ask(t, server.Listener.Addr().String(), "GET", "/readyz"); response.StatusCode != 503 {
				t.Errorf("/readyz: got %d %s", response.StatusCode, body)
			}
			if response, body := ask(t, server.Listener.Addr().String(), "GET", "/healthz"); response.StatusCode != 200 {
				t.Errorf("/healthz: got %d %s", response.StatusCode, body)
			}
		})
	}
}

// A client that leaves does not end the query; the deadline does.
func TestQueryOutlivesItsClient(t *testing.T) {
	request := httptest.NewRequest("GET", "/users", nil)
	gone, leave := context.WithCancel(context.Background())
	leave()
	ctx, cancel := deadline(request.WithContext(gone), queryLimit)
	defer cancel()
	if ctx.Err() != nil {
		t.Error("the query is cancelled with its client")
	}
	if at, is := ctx.Deadline(); !is || time.Until(at) > queryLimit {
		t.Error("the query has no deadline")
	}
}

func TestSlowStoreIsUnavailable(t *testing.T) {
	server := httptest.NewServer(routes(&fakeStore{hold: make(chan struct{})}))
	defer server.Close()
	start := time.Now()
	response, body := ask(t, server.Listener.Addr().String(), "GET", "/readyz")
	if took := time.Since(start); response.StatusCode != 503 || took > readyLimit {
		t.Errorf("got %d %s after %s", response.StatusCode, body, took)
	}
}

func TestJSON(t *testing.T) {
	odd := user{
		email:     pgtype.Text{String: "<&>\u2028\x7fé😀", Valid: true},
		fullName:  pgtype.Text{String: "\"\\\b\f\n\r\t\x01", Valid: true},
		createdAt: pgtype.Timestamptz{Time: time.Date(2026, 1, 31, 9, 0, 0, 500_000, time.FixedZone("", 3600)), Valid: true},
	}
	got, err := appendUser(nil, &odd)
	want := `{"id":null,"email":"<&>` + "\u2028\x7f" + `é😀","full_name":"\"\\\b\f\n\r\t\u0001","age":null,` +
		`"country_code":null,"is_active":null,"created_at":"2026-01-31T08:00:00.000500Z"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
