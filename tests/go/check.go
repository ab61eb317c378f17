// Checks proofs independently, with the packages by which Go checks its own log of modules:
//
//	check event DIR KEY: a folder that prove has written
//	check grown FILE NOTE KEY: what checkpoint --since NOTE has printed
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"check/note"
	"check/tlog"
)

// tree is what a signed note says.
type tree struct {
	size int64
	root tlog.Hash
}

func open(text []byte, key string) (tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree{}, errors.New("the note is no checkpoint of this key")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tree{size, root}, err
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		all = append(all, hash)
	}
	return all, nil
}

func event(dir, key string) error {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			panic(err)
		}
		return data
	}
	signed, err := open(read("checkpoint"), key)
	if err != nil {
		return err
	}
	head, text, found := strings.Cut(string(read("event.tlog-proof")), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || text != string(read("checkpoint")) || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("the proof is not of this checkpoint")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	path, err := hashes(lines[2:])
	if err != nil {
		return err
	}
	leaf := read("leaf")
	if leaf[0] != 4 { // A control record has no body.
		content := sha256.Sum256(append(read("salt"), read("body")...))
		if len(read("salt")) != 16 || !bytes.HasSuffix(leaf, content[:]) {
			return errors.New("the body is not that of the leaf")
		}
	}
	return tlog.CheckRecord(path, signed.size, signed.root, index, tlog.RecordHash(leaf))
}

func grown(file, older, key string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, text, _ := strings.Cut(string(data), "\n\n")
	now, err := open([]byte(text), key)
	if err != nil {
		return err
	}
	data, err = os.ReadFile(older)
	if err != nil {
		return err
	}
	then, err := open(data, key)
	if err != nil {
		return err
	}
	lines := strings.Split(head, "\n")
	if lines[0] != fmt.Sprintf("old %d", then.size) {
		return errors.New("it is of another size")
	}
	proof, err := hashes(lines[1:])
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, now.size, now.root, then.size, then.root)
}

func main() {
	err := errors.New("check event DIR KEY, or check grown FILE NOTE KEY")
	switch {
	case len(os.Args) == 4 && os.Args[1] == "event":
		err = event(os.Args[2], os.Args[3])
	case len(os.Args) == 5 && os.Args[1] == "grown":
		err = grown(os.Args[2], os.Args[3], os.Args[4])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
