package peers_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The zone that is signed: "example". "lab" is not.
const signedZone = `$TTL 60
@ SOA ns root 1 60 60 600 60
@ NS ns
ns A ` + namesIP + `
mx.postfix A ` + postfixIP + `
postfix MX 10 mx.postfix
_25._tcp.mx.postfix TLSA 3 1 1 %[1]s
mx.danebad A ` + postfixIP + `
danebad MX 10 mx.danebad
_25._tcp.mx.danebad TLSA 3 1 1 %[2]s
mx.exim A ` + eximIP + `
exim MX 10 mx.exim
_25._tcp.mx.exim TLSA 2 1 1 %[3]s
null MX 0 .
loop MX 10 auth.home
home MX 0 .
home TXT "v=spf1 ip4:` + ourIP + ` ip6:` + ourIPv6 + ` -all"
auth.home A ` + ourIP + `
`

const plainZone = `$TTL 60
@ SOA ns root 1 60 60 600 60
@ NS ns
ns A ` + namesIP + `
mx.postfix A ` + postfixIP + `
postfix MX 10 mx.postfix
mx.exim A ` + eximIP + `
exim MX 10 mx.exim
sink MX 10 mx.postfix
both MX 10 mx.both
mx.both A ` + postfixIP + `
mx.both AAAA ` + postfixIPv6 + `
sts MX 10 mx.sts
mx.sts A ` + postfixIP + `
_mta-sts.sts TXT "v=STSv1; id=1;"
mta-sts.sts A ` + policyIP + `
stsbad MX 10 mx.stsbad
mx.stsbad A ` + postfixIP + `
_mta-sts.stsbad TXT "v=STSv1; id=1;"
mta-sts.stsbad A ` + policyIP + `
ststest MX 10 mx.ststest
mx.ststest A ` + postfixIP + `
_mta-sts.ststest TXT "v=STSv1; id=1;"
mta-sts.ststest A ` + policyIP + `
dropped MX 10 dropped
dropped MX 20 mx.postfix
dropped A ` + droppedIP + `
inside MX 10 inside
inside A 10.0.0.1
`

// certified are the names in the servers' certificate: not mx.stsbad.lab, nor
// mx.ststest.lab.
var certified = []string{"mx.postfix.example", "mx.danebad.example", "mx.exim.example", "mx.postfix.lab", "mx.exim.lab", "mx.both.lab", "mx.sts.lab"}

// names starts Knot there and Unbound here, with more zones than those above.
func (n *network) names(leaf *x509.Certificate, more map[string]string) {
	n.t.Helper()
	key := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	wrong := sha256.Sum256([]byte("another key"))
	root := sha256.Sum256(n.ca.Root().RawSubjectPublicKeyInfo)
	zones := map[string]string{
		"example": fmt.Sprintf(signedZone, hex.EncodeToString(key[:]), hex.EncodeToString(wrong[:]), hex.EncodeToString(root[:])),
		"lab":     plainZone,
		".":       "$TTL 60\n@ SOA ns.lab. root.lab. 1 60 60 600 60\n@ NS ns.lab.\n",
		// Its anchor is not the key it is signed by, for it is not signed.
		"bogus":            "$TTL 60\n@ SOA ns root 1 60 60 600 60\n@ NS ns\nns A " + namesIP + "\nx MX 10 mx\nmx A " + postfixIP + "\n",
		"5.in-addr.arpa":   "$TTL 60\n@ SOA ns.lab. root.lab. 1 60 60 600 60\n@ NS ns.lab.\n1.0.0 PTR auth.home.example.\n",
		"0.0.a.2.ip6.arpa": "$TTL 60\n@ SOA ns.lab. root.lab. 1 60 60 600 60\n@ NS ns.lab.\n",
	}
	maps.Copy(zones, more)
	var knot, unbound strings.Builder
	fmt.Fprintf(&knot, "server:\n  listen: %s@53\n  rundir: %[2]s/knot\nlog:\n  - target: stderr\n    any: info\ndatabase:\n  storage: %[2]s/knot\n"+
		"policy:\n  - id: quick\n    algorithm: ecdsap256sha256\ntemplate:\n  - id: default\n    storage: %[2]s/knot\n    zonefile-sync: -1\nzone:\n", namesIP, n.dir)
	for zone, text := range zones {
		n.write(filepath.Join(n.dir, "knot", zone+".zone"), text)
		fmt.Fprintf(&knot, "  - domain: %s.\n    file: %s.zone\n", strings.TrimSuffix(zone, "."), zone)
		if zone == "example" {
			fmt.Fprintf(&knot, "    dnssec-signing: on\n    dnssec-policy: quick\n")
		}
		fmt.Fprintf(&unbound, "stub-zone:\n  name: %q\n  stub-addr: %s\n  stub-prime: no\n", strings.TrimSuffix(zone, ".")+".", namesIP)
	}
	config := filepath.Join(n.dir, "knot", "knot.conf")
	n.write(config, knot.String())
	n.keep(true, "knotd", "-c", config)
	n.answers(namesIP+":53", "knotd.out")
	anchor := ""
	for deadline := time.Now().Add(time.Minute); !strings.Contains(anchor, "DS"); time.Sleep(50 * time.Millisecond) {
		anchor = n.run("keymgr", "-c", config, "example.", "ds")
		if time.Now().After(deadline) {
			n.t.Fatalf("Knot has no key: %s", anchor)
		}
	}
	n.write(filepath.Join(n.dir, "unbound", "anchor"), anchor)
	n.write(filepath.Join(n.dir, "unbound", "wrong"), "bogus. DS 1 13 2 "+hex.EncodeToString(wrong[:])+"\n")
	fmt.Fprintf(&unbound, "stub-zone:\n  name: \"dead.\"\n  stub-addr: 5.0.0.99\n")
	path := filepath.Join(n.dir, "unbound", "unbound.conf")
	n.write(path, fmt.Sprintf("server:\n  interface: 127.0.0.1\n  port: 53\n  do-daemonize: no\n  use-syslog: no\n  username: \"\"\n  chroot: \"\"\n  pidfile: \"\"\n"+
		"  directory: %[1]q\n  module-config: \"validator iterator\"\n  trust-anchor-file: anchor\n  trust-anchor-file: wrong\n  do-ip6: no\n  verbosity: 1\n"+
		"  cache-max-negative-ttl: 1\n  infra-host-ttl: 1\n", filepath.Join(n.dir, "unbound"))+unbound.String())
	n.keep(false, "unbound", "-d", "-c", path)
	n.answers("127.0.0.1:53", "unbound.out")
}

// logOf is for failures.
func (n *network) logOf(path string) string {
	text, err := os.ReadFile(filepath.Join(n.dir, path))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
