// go-api: the users API in Go, as its stack would ship it: net/http, chi, pgx.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

const (
	drainLimit       = 10 * time.Second
	healthcheckLimit = 2 * time.Second
)

func main() {
	healthcheck := flag.Bool("healthcheck", false, "ask /readyz of the server on PORT; exits with 0 if it is ready")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this `file` until the end (for default.pgo)")
	flag.Parse()

	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	var err error
	if *healthcheck {
		err = checkHealth(portFromEnvironment())
	} else {
		err = run(*profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-api:", err)
		os.Exit(1)
	}
}

func run(profile string) error {
	config, err := readConfig()
	if err != nil {
		return err
	}
	if profile != "" {
		stop, err := startProfile(profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	// The first signal drains; stop() gives the second its usual meaning back: the end.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)

	users, err := openUsers(ctx, config.pool)
	if err != nil {
		return fmt.Errorf("can't set the pool up: %w", err)
	}
	defer users.close()
	listener, err := net.Listen("tcp", ":"+config.port)
	if err != nil {
		return fmt.Errorf("can't listen on PORT %s: %w; choose another", config.port, err)
	}
	slog.Info("listening", "name", name, "port", config.port, "pid", os.Getpid(),
		"go", runtime.Version(), "gomaxprocs", runtime.GOMAXPROCS(0),
		"db_max_conns", config.pool.MaxConns, "db_min_conns", config.pool.MinConns,
		"db_host", config.pool.ConnConfig.Host, "db_name", config.pool.ConnConfig.Database,
		"application_name", config.pool.ConnConfig.RuntimeParams["application_name"])
	return serve(ctx, listener, routes(users))
}

// serve answers until ctx ends, then answers what was asked before that.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      15 * time.Second, // longer than any query may take
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
		// OPTIONS * is another path to this API: 404.
		DisableGeneralOptionsHandler: true,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	slog.Info("draining", "limit_ms", drainLimit.Milliseconds())
	limit, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests were left unanswered after %s: %w", drainLimit, err)
	}
	slog.Info("drained")
	return nil
}

// checkHealth is what the image's HEALTHCHECK runs: it has no shell and no curl.
func checkHealth(port string) error {
	client := http.Client{Timeout: healthcheckLimit}
	response, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", port) + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answered %s", response.Status)
	}
	return nil
}

func startProfile(path string) (stop func(), err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		if err := file.Close(); err != nil {
			slog.Error("profile_not_written", "why", err.Error())
		}
	}, nil
}
