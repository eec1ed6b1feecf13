// Indexes: what mongod checks and shows and the engine does not. Options that
// the engine does not know are kept beside it and have no effect.
package main

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// keptOptions are accepted, listed and without effect.
var keptOptions = []string{"sparse", "expireAfterSeconds"}

// indexKey names an index in the records.
func indexKey(body bson.Raw, index string) string {
	return fmt.Sprintf("%s.%s %s", textOf(body.Lookup("$db")), textOf(body.Index(0).Value()), index)
}

func textOf(v bson.RawValue) string { s, _ := v.StringValueOK(); return s }

func documentsOf(v bson.RawValue) (list []bson.Raw) {
	array, _ := v.ArrayOK()
	values, _ := array.Values()
	for _, value := range values {
		if doc, isDocument := value.DocumentOK(); isDocument {
			list = append(list, doc)
		}
	}
	return list
}

// prepareIndexes refuses what mongod refuses, and returns the command with
// what the engine understands. It runs where entries are applied.
func (f *stateMachine) prepareIndexes(body bson.Raw) (bson.Raw, error) {
	listed, err := f.listIndexes(body)
	if err != nil {
		return nil, err
	}
	for _, index := range documentsOf(body.Lookup("indexes")) {
		existing, err := conflict(listed, index)
		if err != nil {
			return nil, err
		}
		if !existing && truthy(index.Lookup("unique")) {
			if err := f.duplicates(body, index); err != nil {
				return nil, err
			}
		}
	}
	return mapArray(body, "indexes", func(index bson.Raw) (bson.Raw, error) { return edit(index, nil, keptOptions...) })
}

// listIndexes is what the command's collection has.
func (f *stateMachine) listIndexes(body bson.Raw) ([]bson.Raw, error) {
	question, err := bson.Marshal(bson.D{{Key: "listIndexes", Value: body.Index(0).Value()}, {Key: "$db", Value: body.Lookup("$db")}})
	if err != nil {
		return nil, err
	}
	reply, err := f.engine.apply.run(question)
	if err != nil {
		return nil, err
	}
	if reply, err = f.withOptions(question, reply); err != nil {
		return nil, err
	}
	return documentsOf(reply.Lookup("cursor", "firstBatch")), nil
}

// conflict tells whether the very same index exists, or one in its way.
func conflict(listed []bson.Raw, index bson.Raw) (existing bool, err error) {
	for _, other := range listed {
		sameName := textOf(index.Lookup("name")) == textOf(other.Lookup("name"))
		sameKeys := keysOf(index) == keysOf(other)
		switch {
		case sameName && !sameKeys:
			return false, fail(indexKeySpecsConflict, "An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: %s, existing index: %s", index, other)
		case sameName && truthy(index.Lookup("unique")) != truthy(other.Lookup("unique")), sameName && truthy(index.Lookup("sparse")) != truthy(other.Lookup("sparse")):
			return false, fail(indexKeySpecsConflict, "An existing index has the same name as the requested index. Requested index: %s, existing index: %s", index, other)
		case sameName && seconds(index) != seconds(other):
			return false, fail(indexOptionsConflict, "An equivalent index already exists with the same name but different options. Requested index: %s, existing index: %s", index, other)
		case sameName:
			return true, nil
		case sameKeys:
			return false, fail(indexOptionsConflict, "Index already exists with a different name: %s", textOf(other.Lookup("name")))
		}
	}
	return false, nil
}

// keysOf is the same for every number that an order can be written as.
func keysOf(index bson.Raw) string {
	keys, _ := index.Lookup("key").DocumentOK()
	list, _ := keys.Elements()
	var text strings.Builder
	for _, key := range list {
		order, _ := key.Value().AsInt64OK()
		fmt.Fprintf(&text, "%s: %d, ", key.Key(), order)
	}
	return text.String()
}

func seconds(index bson.Raw) int64 {
	if n, isNumber := index.Lookup("expireAfterSeconds").AsInt64OK(); isNumber {
		return n
	}
	return -1
}

// duplicates refuses a unique index over documents that it would keep apart.
func (f *stateMachine) duplicates(body, index bson.Raw) error {
	question, err := bson.Marshal(bson.D{{Key: "find", Value: body.Index(0).Value()}, {Key: "$db", Value: body.Lookup("$db")}, {Key: "batchSize", Value: int32(1_000_000)}})
	if err != nil {
		return err
	}
	reply, err := f.engine.apply.run(question)
	if err != nil {
		return err
	}
	keys, _ := index.Lookup("key").DocumentOK()
	seen := map[string]bool{}
	for _, doc := range documentsOf(reply.Lookup("cursor", "firstBatch")) {
		var parts []string
		missing := 0
		for _, key := range elements(keys) {
			value, err := doc.LookupErr(strings.Split(key.Key, ".")...)
			text := value.String()
			if err != nil {
				missing, text = missing+1, "null"
			}
			parts = append(parts, key.Key+": "+text)
		}
		values := strings.Join(parts, ", ")
		if missing == len(parts) && truthy(index.Lookup("sparse")) {
			continue
		}
		if seen[values] {
			name, ns := textOf(index.Lookup("name")), textOf(body.Lookup("$db"))+"."+textOf(body.Index(0).Value())
			return fail(duplicateKey, "Index build failed: Collection %s :: caused by :: E11000 duplicate key error collection: %s index: %s dup key: { %s }", ns, ns, name, values)
		}
		seen[values] = true
	}
	return nil
}

// noteIndexes keeps the options of indexes that were made, and forgets those
// of indexes that are gone.
func (f *stateMachine) noteIndexes(body bson.Raw) {
	f.mu.Lock()
	defer f.mu.Unlock()
	forget := func(prefix string) {
		for key := range f.records.Indexes {
			if strings.HasPrefix(key, prefix) {
				delete(f.records.Indexes, key)
			}
		}
	}
	switch body.Index(0).Key() {
	case "createIndexes":
		for _, index := range documentsOf(body.Lookup("indexes")) {
			kept := bson.D{}
			for _, option := range keptOptions {
				if value, err := index.LookupErr(option); err == nil {
					kept = append(kept, bson.E{Key: option, Value: value})
				}
			}
			if raw, err := bson.Marshal(kept); err == nil && len(kept) > 0 {
				f.records.Indexes[indexKey(body, textOf(index.Lookup("name")))] = raw
			}
		}
	case "dropIndexes":
		if name := textOf(body.Lookup("index")); name != "*" {
			delete(f.records.Indexes, indexKey(body, name))
		} else {
			forget(indexKey(body, ""))
		}
	case "drop":
		forget(indexKey(body, ""))
	case "dropDatabase":
		forget(textOf(body.Lookup("$db")) + ".")
	}
}

// withOptions adds the kept options to a reply of listIndexes.
func (f *stateMachine) withOptions(body, reply bson.Raw) (bson.Raw, error) {
	cursor, isDocument := reply.Lookup("cursor").DocumentOK()
	if !isDocument {
		return reply, nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	cursor, err := mapArray(cursor, "firstBatch", func(index bson.Raw) (bson.Raw, error) {
		kept := f.records.Indexes[indexKey(body, textOf(index.Lookup("name")))]
		return edit(index, elements(kept))
	})
	if err != nil {
		return nil, err
	}
	return edit(reply, bson.D{{Key: "cursor", Value: cursor}})
}
