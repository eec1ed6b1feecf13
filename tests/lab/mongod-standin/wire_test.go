package main

import (
	"bytes"
	"encoding/binary"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func insertMessage(t testing.TB, extra ...byte) []byte {
	t.Helper()
	body, err := bson.Marshal(bson.D{{Key: "insert", Value: "c"}, {Key: "$db", Value: "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := bson.Marshal(bson.D{{Key: "_id", Value: 1}})
	sequence := append([]byte("documents\x00"), append(append([]byte{}, doc...), doc...)...)
	out := make([]byte, 20, 200)
	out = append(append(out, 0), body...)
	out = append(out, 1)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(sequence)+4))
	out = append(append(out, sequence...), extra...)
	binary.LittleEndian.PutUint32(out, uint32(len(out)))
	binary.LittleEndian.PutUint32(out[4:], 9)
	binary.LittleEndian.PutUint32(out[12:], opMsg)
	return out
}

func TestDocumentSequencesBecomeArraysOfTheCommand(t *testing.T) {
	c, err := readCommand(bytes.NewReader(insertMessage(t)))
	if err != nil || c.name != "insert" || c.db != "shop" || c.requestID != 9 {
		t.Fatalf("%+v, %v", c, err)
	}
	documents, _ := c.body.Lookup("documents").ArrayOK()
	if values, err := documents.Values(); err != nil || len(values) != 2 {
		t.Fatalf("documents are %v, %v", documents, err)
	}
}

func TestTruncatedMessagesAreErrors(t *testing.T) {
	whole := insertMessage(t)
	for n := range len(whole) {
		if _, err := readCommand(bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("%d of %d bytes were taken for a message", n, len(whole))
		}
	}
}

func TestOversizedMessagesAreErrors(t *testing.T) {
	message := insertMessage(t)
	binary.LittleEndian.PutUint32(message, maxMessageBytes+1)
	if _, err := readCommand(bytes.NewReader(message)); err == nil {
		t.Fatal("accepted")
	}
}

func TestPeerMagicIsNoMessage(t *testing.T) {
	if size := binary.LittleEndian.Uint32([]byte(peerMagic)); size <= maxMessageBytes {
		t.Fatalf("the magic word reads as a message of %d bytes", size)
	}
}

func FuzzReadCommandNeverPanics(f *testing.F) {
	f.Add(insertMessage(f))
	f.Add(insertMessage(f, 1, 0, 0, 0, 0))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := readCommand(bytes.NewReader(b))
		if err == nil {
			_, _ = withIDs(c)
			_ = c.secondaryOk()
		}
	})
}
