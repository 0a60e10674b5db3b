package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Beside a test that holds a request, the process itself is signalled: its exit code is what a supervisor sees.
func TestMain(m *testing.M) {
	if os.Getenv("GO_API_TEST_RUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestDrainAnswersWhatWasAsked(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	store := &fakeStore{hold: make(chan struct{})}
	ctx, drain := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, routes(store)) }()

	answered := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + address + "/users/" + someID)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answered <- string(body)
	}()
	time.Sleep(100 * time.Millisecond) // for the request to be held
	drain()
	time.Sleep(100 * time.Millisecond)
	if connection, err := net.Dial("tcp", address); err == nil {
		connection.Close()
		t.Error("a new connection is taken while draining")
	}
	close(store.hold)
	if body := <-answered; body != someJSON {
		t.Errorf("answered %s", body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestProcess(t *testing.T) {
	port := freePort(t)
	// No database is there: it starts all the same, and says so where it is asked.
	environment := append(os.Environ(), "GO_API_TEST_RUN=1", "PORT="+port,
		"DATABASE_URL=postgresql://nobody@127.0.0.1:1/none?sslmode=disable")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		command := exec.Command(os.Args[0])
		command.Env = environment
		log := &strings.Builder{}
		command.Stderr = log
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "http://127.0.0.1:"+port+"/healthz")
		if response, body := ask(t, "127.0.0.1:"+port, "GET", "/readyz"); response.StatusCode != 503 {
			t.Errorf("/readyz: got %d %s", response.StatusCode, body)
		}
		check := exec.Command(os.Args[0], "-healthcheck")
		check.Env = environment
		if output, err := check.CombinedOutput(); err == nil || !strings.Contains(string(output), "503") {
			t.Errorf("-healthcheck: %v, %s", err, output)
		}
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("after %s: %v", signal, err)
		}
		for _, line := range []string{`"msg":"listening"`, `"msg":"drained"`} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("logged %s without %s", log.String(), line)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	t.Setenv("DATABASE_URL", "host=h user=u dbname=d application_name=x")
	t.Setenv("DB_MAX_CONNS", "3")
	t.Setenv("DB_MIN_CONNS", "9")
	config, err := readConfig()
	if err != nil {
		t.Fatal(err)
	}
	if config.pool.MaxConns != 3 || config.pool.MinConns != 3 {
		t.Errorf("got %d to %d connections", config.pool.MinConns, config.pool.MaxConns)
	}
	if got := config.pool.ConnConfig.RuntimeParams["application_name"]; got != "x" {
		t.Errorf("application_name %q", got)
	}

	t.Setenv("DATABASE_URL", "")
	t.Setenv("PGHOST", "elsewhere")
	if config, err = readConfig(); err != nil || config.pool.ConnConfig.Host != "elsewhere" {
		t.Errorf("PGHOST is not read: %v", err)
	}
	if got := config.pool.ConnConfig.RuntimeParams["application_name"]; got != name {
		t.Errorf("application_name %q", got)
	}
	wrong := map[string]string{"DB_MAX_CONNS": "0", "DB_MIN_CONNS": "x", "DATABASE_URL": "postgresql://:x"}
	for variable, value := range wrong {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			if _, err := readConfig(); err == nil || !strings.Contains(err.Error(), variable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	// Not one of the kernel's for outgoing connections: one of those could take it before it is listened on.
	for {
		port := strconv.Itoa(10000 + rand.IntN(10000))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			listener.Close()
			return port
		}
	}
}

func waitFor(t *testing.T, url string) {
	t.Helper()
	for range 400 { // 20 s: the machine may be busy
		if response, err := http.Get(url); err == nil {
			response.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", url)
}
