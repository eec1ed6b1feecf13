// The replicated state machine: log entries applied in order to the storage
// engine and to the set's own records (config, users, FCV, retryable writes).
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	engineDir       = "engine"
	maxRemembered   = 10_000 // sessions whose last write is kept for retries
	kindWrite       = "write"
	kindConfig      = "config"
	kindUser        = "user"
	kindDropUser    = "dropUser"
	kindFCV         = "fcv"
	kindNoop        = "noop"
	defaultFCV      = "7.0"
	recordsFileName = "records.bson"
)

// entry is one record of the replicated log.
type entry struct {
	Kind    string         `bson:"kind"`
	At      bson.Timestamp `bson:"at"`
	Session string         `bson:"session,omitempty"`
	Txn     int64          `bson:"txn,omitempty"`
	Key     string         `bson:"key,omitempty"`
	Body    bson.Raw       `bson:"body,omitempty"`
}

type rememberedWrite struct {
	Txn   int64    `bson:"txn"`
	Reply bson.Raw `bson:"reply"`
}

// records is everything replicated that does not live in the engine.
type records struct {
	Config   *replConfig                `bson:"config"`
	Users    map[string]user            `bson:"users"` // by "db.name"
	FCV      string                     `bson:"fcv"`
	Sessions map[string]rememberedWrite `bson:"sessions"`
	Indexes  map[string]bson.Raw        `bson:"indexes"` // options the engine does not know, by indexKey
	Order    []string                   `bson:"order"`   // sessions, oldest first
	At       bson.Timestamp             `bson:"at"`
	Term     int64                      `bson:"term"`
	Index    uint64                     `bson:"index"` // of the last entry applied
}

type stateMachine struct {
	mu       sync.RWMutex
	engine   *engine
	records  records
	applied  atomic.Uint64 // records.Index
	onConfig func(*replConfig)
}

func freshRecords() records {
	return records{FCV: defaultFCV, Users: map[string]user{}, Sessions: map[string]rememberedWrite{}, Indexes: map[string]bson.Raw{}}
}

// reset empties the state, which raft then rebuilds from snapshot and log.
func (f *stateMachine) reset() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records = freshRecords()
	f.applied.Store(0)
	e, err := wipeEngine(f.engine, engineDir)
	f.engine = e
	return err
}

// replay brings the emptied state to what is known to be committed. Raft would
// do so only once it has found a leader.
func (f *stateMachine) replay(snaps raft.SnapshotStore, logs *commitLog) error {
	next := uint64(1)
	if list, err := snaps.List(); err != nil {
		return err
	} else if len(list) > 0 {
		_, content, err := snaps.Open(list[0].ID)
		if err != nil {
			return err
		}
		if err := f.Restore(content); err != nil {
			return err
		}
		next = list[0].Index + 1
	}
	for last := logs.committed(); next <= last; next++ {
		var log raft.Log
		if err := logs.GetLog(next, &log); err != nil {
			return err
		}
		if log.Type == raft.LogCommand {
			f.Apply(&log)
		}
	}
	return nil
}

// Apply executes one entry; its result reaches the proposing primary's client.
func (f *stateMachine) Apply(log *raft.Log) any {
	if log.Index <= f.applied.Load() {
		return nil // replayed before raft started
	}
	var e entry
	if err := bson.Unmarshal(log.Data, &e); err != nil {
		return fmt.Errorf("log entry %d: %w", log.Index, err)
	}
	if e.Kind == kindWrite {
		reply := f.write(e)
		f.advance(e, log)
		return reply
	}
	f.advance(e, log)
	config, err := f.amend(e)
	if config != nil {
		f.onConfig(config)
	}
	return err
}

// amend changes the records and returns the set's configuration if it is new.
func (f *stateMachine) amend(e entry) (*replConfig, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.Kind {
	case kindUser:
		var u user
		if err := bson.Unmarshal(e.Body, &u); err != nil {
			return nil, err
		}
		f.records.Users[e.Key] = u
	case kindDropUser:
		delete(f.records.Users, e.Key)
	case kindFCV:
		f.records.FCV = e.Key
	case kindConfig:
		config := &replConfig{}
		if err := bson.Unmarshal(e.Body, config); err != nil {
			return nil, err
		}
		f.records.Config = config
		return config, nil
	}
	return nil, nil
}

func (f *stateMachine) advance(e entry, log *raft.Log) {
	f.mu.Lock()
	f.records.At, f.records.Term, f.records.Index = e.At, int64(log.Term), log.Index
	f.applied.Store(log.Index)
	f.mu.Unlock()
}

// write runs a command once: a retry of the session's last write gets the
// remembered reply.
func (f *stateMachine) write(e entry) any {
	if e.Session != "" {
		if last, known := f.records.Sessions[e.Session]; known && last.Txn == e.Txn {
			return last.Reply
		} else if known && last.Txn > e.Txn {
			return fail(transactionTooOld, "Retryable write with txnNumber %d is prohibited; a newer one with txnNumber %d has started", e.Txn, last.Txn)
		}
	}
	body, err := settleUpserts(f.engine.apply, e.Body)
	if err == nil && body.Index(0).Key() == "createIndexes" {
		body, err = f.prepareIndexes(body)
	}
	if err != nil {
		return err
	}
	reply, err := f.engine.apply.run(body)
	if err != nil {
		// A member whose engine fails must not go on as if it had the write.
		logLine("F", "STORAGE", "The storage engine failed; stopping", "error", err.Error())
		os.Exit(14)
	}
	if truthy(reply.Lookup("ok")) {
		f.noteIndexes(e.Body)
	}
	if e.Session != "" && truthy(reply.Lookup("ok")) {
		f.remember(e, reply)
	}
	return reply
}

func (f *stateMachine) remember(e entry, reply bson.Raw) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &f.records
	if _, known := r.Sessions[e.Session]; !known {
		r.Order = append(r.Order, e.Session)
	}
	r.Sessions[e.Session] = rememberedWrite{e.Txn, reply}
	if len(r.Order) > maxRemembered {
		delete(r.Sessions, r.Order[0])
		r.Order = r.Order[1:]
	}
}

// snapshot is a tar of the engine's files and the records, made while no entry
// is applied, so that the files stand still.
type snapshot struct{ file *os.File }

func (f *stateMachine) Snapshot() (raft.FSMSnapshot, error) {
	file, err := os.CreateTemp(".", "snapshot-*.tmp")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name())
	w := tar.NewWriter(file)
	names, err := filepath.Glob(filepath.Join(engineDir, "*"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if filepath.Ext(name) == ".sqlite-shm" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := addFile(w, name, data); err != nil {
			return nil, err
		}
	}
	data, err := bson.Marshal(f.records)
	if err != nil {
		return nil, err
	}
	if err := addFile(w, recordsFileName, data); err != nil {
		return nil, err
	}
	return &snapshot{file}, w.Close()
}

func addFile(w *tar.Writer, name string, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: time.Now()}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

func (s *snapshot) Release() { _ = s.file.Close() }

func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	_, err := s.file.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(sink, s.file)
	}
	if err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

// Restore replaces the whole state by a snapshot's.
func (f *stateMachine) Restore(r io.ReadCloser) error {
	defer r.Close()
	config, err := f.load(r)
	if config != nil {
		f.onConfig(config)
	}
	return err
}

func (f *stateMachine) load(r io.Reader) (*replConfig, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.engine.stop()
	_ = os.RemoveAll(engineDir)
	if err := os.MkdirAll(engineDir, 0o700); err != nil {
		return nil, err
	}
	fresh := freshRecords()
	for t := tar.NewReader(r); ; {
		head, err := t.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		var data bytes.Buffer
		if _, err := io.Copy(&data, t); err != nil {
			return nil, err
		}
		if head.Name == recordsFileName {
			err = bson.Unmarshal(data.Bytes(), &fresh)
		} else {
			err = os.WriteFile(filepath.Join(engineDir, filepath.Base(head.Name)), data.Bytes(), 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	f.records = fresh
	f.applied.Store(fresh.Index)
	e, err := openEngine(engineDir)
	f.engine = e
	return fresh.Config, err
}

// optime is the last applied entry's time and term.
func (f *stateMachine) optime() (bson.Timestamp, int64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.records.At, f.records.Term
}

// current is the engine to read from; restoring a snapshot replaces it.
func (f *stateMachine) current() *engine {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.engine
}

func (f *stateMachine) user(key string) (user, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	u, found := f.records.Users[key]
	return u, found
}
