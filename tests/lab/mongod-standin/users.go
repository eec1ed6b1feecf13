// User management and the feature compatibility version: replicated records.
package main

import (
	"encoding/base64"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func (s *session) saveUser(c command) (any, error) {
	creating, name := c.name == "createUser", c.str(c.name)
	u, exists := s.m.fsm.user(c.db + "." + name)
	switch {
	case name == "":
		return nil, fail(badValue, "User document needs 'user' field to be non-empty")
	case creating && exists:
		return nil, fail(userExists, "User \"%s@%s\" already exists", name, c.db)
	case !creating && !exists:
		return nil, fail(userNotFound, "User %s@%s not found", name, c.db)
	case creating && (!c.has("pwd") || !c.has("roles")):
		return nil, fail(badValue, "\"createUser\" command requires \"pwd\" and a \"roles\" array")
	case !creating && !c.has("pwd") && !c.has("roles") && !c.has("customData"):
		return nil, fail(badValue, "Must specify at least one field to update in updateUser")
	}
	if creating {
		u = user{Name: name, DB: c.db, UUID: newUUID()}
	}
	if c.has("roles") {
		roles, err := parseRoles(c)
		if err != nil {
			return nil, err
		}
		u.Roles = roles
	}
	if c.has("pwd") {
		if c.str("pwd") == "" {
			return nil, fail(badValue, "Password cannot be empty")
		}
		u.Salt = nil
		if err := u.setPassword(c.str("pwd")); err != nil {
			return nil, err
		}
	}
	if data, isDocument := c.body.Lookup("customData").DocumentOK(); isDocument {
		u.CustomData = data
	}
	body, err := bson.Marshal(u)
	if err != nil {
		return nil, err
	}
	if _, err := s.m.propose(entry{Kind: kindUser, Key: u.key(), Body: body}); err != nil {
		return nil, err
	}
	return ok()
}

func (s *session) dropUser(c command) (any, error) {
	key := c.db + "." + c.str(c.name)
	if _, exists := s.m.fsm.user(key); !exists {
		return nil, fail(userNotFound, "User '%s@%s' not found", c.str(c.name), c.db)
	}
	if _, err := s.m.propose(entry{Kind: kindDropUser, Key: key}); err != nil {
		return nil, err
	}
	return ok()
}

// usersInfo takes 1, a name, {user, db}, a list of those or {forAllDBs: true}.
func (s *session) usersInfo(c command) (any, error) {
	wanted, all := map[string]bool{}, false
	var want func(v bson.RawValue)
	want = func(v bson.RawValue) {
		if name, isName := v.StringValueOK(); isName {
			wanted[c.db+"."+name] = true
		} else if list, isList := v.ArrayOK(); isList {
			values, _ := list.Values()
			for _, item := range values {
				want(item)
			}
		} else if doc, isDoc := v.DocumentOK(); isDoc && truthy(doc.Lookup("forAllDBs")) {
			all = true
		} else if isDoc {
			name, _ := doc.Lookup("user").StringValueOK()
			db, _ := doc.Lookup("db").StringValueOK()
			wanted[db+"."+name] = true
		}
	}
	argument := c.body.Lookup(c.name)
	want(argument)
	_, isNumber := argument.AsInt64OK()
	s.m.fsm.mu.RLock()
	defer s.m.fsm.mu.RUnlock()
	users := bson.A{}
	for key, u := range s.m.fsm.records.Users {
		if !all && !wanted[key] && !(isNumber && u.DB == c.db) {
			continue
		}
		doc := bson.D{{Key: "_id", Value: key}, {Key: "userId", Value: u.UUID}, {Key: "user", Value: u.Name}, {Key: "db", Value: u.DB}, {Key: "roles", Value: u.Roles}, {Key: "mechanisms", Value: bson.A{mechanism}}}
		if u.CustomData != nil {
			doc = append(doc, bson.E{Key: "customData", Value: u.CustomData})
		}
		if c.flag("showCredentials") {
			stored := bson.D{{Key: "iterationCount", Value: int32(iterations)}, {Key: "salt", Value: base64.StdEncoding.EncodeToString(u.Salt)},
				{Key: "storedKey", Value: base64.StdEncoding.EncodeToString(u.StoredKey)}, {Key: "serverKey", Value: base64.StdEncoding.EncodeToString(u.ServerKey)}}
			doc = append(doc, bson.E{Key: "credentials", Value: bson.D{{Key: mechanism, Value: stored}}})
		}
		users = append(users, doc)
	}
	return ok(bson.E{Key: "users", Value: users})
}

func (s *session) setFCV(c command) (any, error) {
	version := c.str(c.name)
	if version != "6.0" && version != defaultFCV {
		return nil, fail(badValue, "Invalid feature compatibility version value '%s'; expected '6.0' or '7.0'", version)
	}
	if !c.flag("confirm") {
		return nil, fail(7369100, "Once you have upgraded to %s, you will not be able to downgrade FCV and binary version without support assistance. Please re-run this command with 'confirm: true' to acknowledge this and continue with the FCV upgrade.", version)
	}
	if _, err := s.m.propose(entry{Kind: kindFCV, Key: version}); err != nil {
		return nil, err
	}
	return ok()
}

func (s *session) getParameter(c command) (any, error) {
	s.m.fsm.mu.RLock()
	fcv := s.m.fsm.records.FCV
	s.m.fsm.mu.RUnlock()
	var found []bson.E
	all := strings.TrimSpace(c.str(c.name)) == "*"
	if all || c.has("featureCompatibilityVersion") {
		found = append(found, bson.E{Key: "featureCompatibilityVersion", Value: bson.D{{Key: "version", Value: fcv}}})
	}
	for name, value := range s.m.options.parameters {
		if all || c.has(name) {
			found = append(found, bson.E{Key: name, Value: value})
		}
	}
	if len(found) == 0 {
		return nil, fail(invalidOptions, "no option found to get")
	}
	return ok(found...)
}
