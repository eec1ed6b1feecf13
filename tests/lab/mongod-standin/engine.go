// The storage engine: FerretDB with SQLite, on a socket in the data folder
// that only this process dials. Its files are rebuilt from the replicated log
// and snapshots at every start, so they need no syncing of their own.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/FerretDB/FerretDB/ferretdb"
	"go.mongodb.org/mongo-driver/v2/bson"
)

type engine struct {
	dir    string // folder of the SQLite files, relative to the dbpath
	socket string
	stop   func()
	apply  *engineConn // the only connection that writes
}

// openEngine starts FerretDB on what dir holds. Paths are relative to the
// dbpath (the working directory): a socket's path may have 107 bytes only.
func openEngine(dir string) (*engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	e := &engine{dir: dir, socket: dir + ".sock"}
	_ = os.Remove(e.socket)
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: e.socket},
		Handler:   "sqlite",
		SQLiteURL: "file:" + filepath.ToSlash(dir) + "/?_pragma=synchronous(off)",
		Logger:    slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot start the storage engine in %s: %w", dir, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = db.Run(ctx); close(done) }()
	if e.apply, err = e.dial(); err != nil {
		cancel()
		return nil, err
	}
	e.stop = func() { e.apply.Close(); cancel(); <-done }
	return e, nil
}

// wipeEngine closes e, if open, and returns an engine on an empty folder.
func wipeEngine(e *engine, dir string) (*engine, error) {
	if e != nil {
		e.stop()
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return openEngine(dir)
}

type engineConn struct {
	net.Conn
	r *bufio.Reader
}

func (e *engine) dial() (*engineConn, error) {
	c, err := net.Dial("unix", e.socket)
	if err != nil {
		return nil, err
	}
	return &engineConn{c, bufio.NewReader(c)}, nil
}

// sessionFields are handled here; the engine knows none of them.
var sessionFields = []string{"lsid", "txnNumber", "autocommit", "startTransaction", "stmtId", "stmtIds",
	"$clusterTime", "$readPreference", "writeConcern", "readConcern", "apiVersion", "apiStrict", "apiDeprecationErrors"}

// run executes one command and returns the engine's reply.
func (c *engineConn) run(body bson.Raw) (bson.Raw, error) {
	stripped, err := edit(body, nil, sessionFields...)
	if err != nil {
		return nil, err
	}
	msg, err := encodeMessage(command{}, stripped)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(msg); err != nil {
		return nil, err
	}
	reply, err := readCommand(c.r)
	return reply.body, err
}
