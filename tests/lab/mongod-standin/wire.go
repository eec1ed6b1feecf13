// Wire protocol: OP_MSG and the legacy OP_QUERY handshake, decoded to one
// flat command document and encoded from one reply document.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	opReply, opQuery, opMsg = 1, 2004, 2013
	maxMessageBytes         = 48_000_000
	flagChecksum            = 1 << 0
	flagMoreToCome          = 1 << 1
)

// command is one request: its body holds every argument, document sequences
// included, under the name of the command as first key.
type command struct {
	requestID int32
	legacy    bool // OP_QUERY, to be answered with OP_REPLY
	silent    bool // moreToCome: the client awaits no reply
	name, db  string
	body      bson.Raw
}

func (c command) str(key string) string    { s, _ := c.body.Lookup(key).StringValueOK(); return s }
func (c command) has(key string) bool      { _, err := c.body.LookupErr(key); return err == nil }
func (c command) flag(keys ...string) bool { return truthy(c.body.Lookup(keys...)) }

func (c command) number(key string, otherwise int64) int64 {
	if n, ok := c.body.Lookup(key).AsInt64OK(); ok {
		return n
	}
	return otherwise
}

// truthy follows mongod: true, or any non-zero number.
func truthy(v bson.RawValue) bool {
	if b, ok := v.BooleanOK(); ok {
		return b
	}
	n, ok := v.AsInt64OK()
	return ok && n != 0
}

// readCommand reads one message; an error means the connection is unusable.
func readCommand(r io.Reader) (command, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return command{}, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size < 21 || size > maxMessageBytes {
		return command{}, fmt.Errorf("message of %d bytes is out of bounds", size)
	}
	payload := make([]byte, size-16)
	if _, err := io.ReadFull(r, payload); err != nil {
		return command{}, err
	}
	c := command{requestID: int32(binary.LittleEndian.Uint32(head[4:]))}
	var err error
	switch op := binary.LittleEndian.Uint32(head[12:]); op {
	case opMsg:
		c.silent = payload[0]&flagMoreToCome != 0
		c.body, err = decodeSections(payload)
	case opQuery:
		c.legacy = true
		c.body, err = decodeQuery(payload)
	default:
		return c, fmt.Errorf("opcode %d is not spoken here", op)
	}
	if err != nil {
		return c, err
	}
	if err := c.body.Validate(); err != nil {
		return c, fmt.Errorf("command is not BSON: %w", err)
	}
	first, err := c.body.IndexErr(0)
	if err != nil {
		return c, errors.New("empty command document")
	}
	c.name, c.db = first.Key(), c.str("$db")
	return c, nil
}

func takeDocument(b []byte) (bson.Raw, []byte, error) {
	if len(b) < 5 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < 5 || n > len(b) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return bson.Raw(b[:n]), b[n:], nil
}

func decodeQuery(b []byte) (bson.Raw, error) {
	end := bytes.IndexByte(b[4:], 0)
	if end < 0 || len(b) < 4+end+9 {
		return nil, io.ErrUnexpectedEOF
	}
	namespace := b[4 : 4+end]
	body, _, err := takeDocument(b[4+end+9:])
	if err != nil {
		return nil, err
	}
	db, _, _ := bytes.Cut(namespace, []byte("."))
	return edit(body, bson.D{{Key: "$db", Value: string(db)}})
}

// decodeSections merges document sequences into the body as arrays, so that
// everything behind this point sees one shape.
func decodeSections(b []byte) (body bson.Raw, err error) {
	flags := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if flags&flagChecksum != 0 {
		b = b[:max(0, len(b)-4)]
	}
	var sequences bson.D
	for len(b) > 0 {
		kind := b[0]
		b = b[1:]
		if kind == 0 {
			if body, b, err = takeDocument(b); err != nil {
				return nil, err
			}
			continue
		}
		if kind != 1 || len(b) < 5 {
			return nil, fmt.Errorf("bad OP_MSG section kind %d", kind)
		}
		size := int(binary.LittleEndian.Uint32(b))
		if size < 5 || size > len(b) {
			return nil, io.ErrUnexpectedEOF
		}
		name, documents, found := bytes.Cut(b[4:size], []byte{0})
		if !found {
			return nil, io.ErrUnexpectedEOF
		}
		b = b[size:]
		array := bson.A{}
		for len(documents) > 0 {
			var doc bson.Raw
			if doc, documents, err = takeDocument(documents); err != nil {
				return nil, err
			}
			array = append(array, doc)
		}
		sequences = append(sequences, bson.E{Key: string(name), Value: array})
	}
	if body == nil {
		return nil, errors.New("OP_MSG without a body section")
	}
	if len(sequences) == 0 {
		return body, nil
	}
	return edit(body, sequences)
}

// edit returns the document without the named keys and with the additions,
// which replace keys of the same name.
func edit(doc bson.Raw, additions bson.D, without ...string) (bson.Raw, error) {
	drop := map[string]bool{}
	for _, key := range without {
		drop[key] = true
	}
	for _, e := range additions {
		drop[e.Key] = true
	}
	elements, err := doc.Elements()
	if err != nil {
		return nil, err
	}
	out := bson.D{}
	for _, e := range elements {
		if !drop[e.Key()] {
			out = append(out, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	return bson.Marshal(append(out, additions...))
}

// encodeMessage frames a document as the reply to (or a request like) c.
func encodeMessage(c command, doc any) ([]byte, error) {
	body, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	op, prefix := uint32(opMsg), make([]byte, 5)
	if c.legacy {
		op, prefix = opReply, make([]byte, 20)
		prefix[0], prefix[16] = 8, 1 // AwaitCapable; one document
	}
	out := make([]byte, 16, 16+len(prefix)+len(body))
	binary.LittleEndian.PutUint32(out, uint32(cap(out)))
	binary.LittleEndian.PutUint32(out[8:], uint32(c.requestID))
	binary.LittleEndian.PutUint32(out[12:], op)
	return append(append(out, prefix...), body...), nil
}
