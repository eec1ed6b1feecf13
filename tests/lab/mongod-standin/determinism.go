// Commands made deterministic before they enter the log: every value that a
// server would generate is generated once, so that all members store the same.
package main

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// withIDs gives an _id to inserted documents that lack one, and a spare one
// (spareID) to upserts, used if the statement turns out to insert.
func withIDs(c command) (bson.Raw, error) {
	switch c.name {
	case "insert":
		return mapArray(c.body, "documents", func(doc bson.Raw) (bson.Raw, error) {
			if _, err := doc.LookupErr("_id"); err == nil {
				return doc, nil
			}
			id, err := bson.Marshal(bson.D{{Key: "_id", Value: bson.NewObjectID()}})
			if err != nil {
				return nil, err
			}
			return edit(id, elements(doc))
		})
	case "update":
		return mapArray(c.body, "updates", addSpareID)
	case "findAndModify", "findandmodify":
		return addSpareID(c.body)
	}
	return c.body, nil
}

const spareID = "$spareID"

func addSpareID(statement bson.Raw) (bson.Raw, error) {
	if !truthy(statement.Lookup("upsert")) {
		return statement, nil
	}
	return edit(statement, bson.D{{Key: spareID, Value: bson.NewObjectID()}})
}

// settleUpserts puts the spare _id where the engine would generate one: into
// $setOnInsert, or into a replacement document if nothing matches its query.
// It runs where entries are applied, so what it finds is the same everywhere.
func settleUpserts(engine *engineConn, body bson.Raw) (bson.Raw, error) {
	first, err := body.IndexErr(0)
	if err != nil {
		return nil, err
	}
	target := bson.D{{Key: "find", Value: first.Value()}, {Key: "$db", Value: body.Lookup("$db")}, {Key: "limit", Value: int64(1)}}
	settle := func(statement bson.Raw) (bson.Raw, error) { return settleUpsert(engine, target, statement) }
	switch first.Key() {
	case "update":
		return mapArray(body, "updates", settle)
	case "findAndModify", "findandmodify":
		return settle(body)
	}
	return body, nil
}

func settleUpsert(engine *engineConn, target bson.D, statement bson.Raw) (bson.Raw, error) {
	id, err := statement.LookupErr(spareID)
	if err != nil {
		return statement, nil
	}
	queryKey, changeKey := "q", "u"
	if _, err := statement.LookupErr("update"); err == nil {
		queryKey, changeKey = "query", "update"
	}
	query, _ := statement.Lookup(queryKey).DocumentOK()
	change, isDocument := statement.Lookup(changeKey).DocumentOK()
	_, queried := query.LookupErr("_id")
	if !isDocument || queried == nil {
		return edit(statement, nil, spareID)
	}
	newID := bson.D{{Key: "_id", Value: id}}
	if list := elements(change); len(list) > 0 && strings.HasPrefix(list[0].Key, "$") {
		onInsert, _ := change.Lookup("$setOnInsert").DocumentOK()
		if _, set := onInsert.LookupErr("_id"); set == nil {
			return edit(statement, nil, spareID)
		}
		change, err = edit(change, bson.D{{Key: "$setOnInsert", Value: append(elements(onInsert), newID...)}})
	} else if _, set := change.LookupErr("_id"); set != nil {
		probe, _ := bson.Marshal(append(target, bson.E{Key: "filter", Value: query}))
		found, runErr := engine.run(probe)
		if runErr != nil {
			return nil, runErr
		}
		if batch, _ := found.Lookup("cursor", "firstBatch").ArrayOK(); len(batch) <= 5 {
			change, err = bson.Marshal(append(newID, elements(change)...))
		}
	}
	if err != nil {
		return nil, err
	}
	return edit(statement, bson.D{{Key: changeKey, Value: change}}, spareID)
}

func elements(doc bson.Raw) bson.D {
	out := bson.D{}
	list, _ := doc.Elements()
	for _, e := range list {
		out = append(out, bson.E{Key: e.Key(), Value: e.Value()})
	}
	return out
}

// mapArray replaces each document of an array field by f's result.
func mapArray(body bson.Raw, key string, f func(bson.Raw) (bson.Raw, error)) (bson.Raw, error) {
	array, isArray := body.Lookup(key).ArrayOK()
	if !isArray {
		return body, nil
	}
	values, err := array.Values()
	if err != nil {
		return nil, err
	}
	out := bson.A{}
	for _, v := range values {
		doc, isDocument := v.DocumentOK()
		if !isDocument {
			return body, nil
		}
		mapped, err := f(doc)
		if err != nil {
			return nil, err
		}
		out = append(out, mapped)
	}
	return edit(body, bson.D{{Key: key, Value: out}})
}
