package submission_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/programtest"
	"gatelodge/store"
)

var relayAt = regexp.MustCompile(`^  relay:   apps hand over mail at (\S+)$`)

// What an app was told is taken is there when the server is killed in the same
// moment: 250 comes after the disk.
func TestKilledBehindA250NothingIsLost(t *testing.T) {
	t.Parallel()
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("GATELODGE_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	program, dir := programtest.Build(t), t.TempDir()
	data := filepath.Join(dir, "data")
	// A smarthost that is not there: what was taken stays.
	text := fmt.Sprintf("data_dir = %q\n[mail]\nmode = \"smarthost\"\nfrom = \"login@home.example\"\n[mail.smarthost]\nurl = \"smtp://127.0.0.1:1?tls=off\"\n[mail.submission]\nlisten = \"127.0.0.1:0\"\n", data)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.DataDir = data
	a, err := app.Open(t.Context(), &c, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	password, err := a.Relay.Add(t.Context(), store.SubmissionCredential{Name: "nas", Senders: "nas@home.example", PerHour: 1 << 20, PerDay: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for round := range rounds {
		told := killedWhileTaking(t, program, dir, password, round)
		taken += len(told)
		db, err := store.Open(t.Context(), store.Options{Dir: data})
		if err != nil {
			t.Fatal(err)
		}
		kept := map[string]string{}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.Messages(true, 100_000)
			for _, m := range list {
				w, err := tx.MessageByID(m.ID)
				if err != nil {
					return err
				}
				kept[m.Rcpt] = string(w.Body)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, to := range told {
			if !strings.Contains(kept[to], "for "+to) {
				t.Errorf("round %d: the mail for %s was taken and is lost", round, to)
			}
		}
	}
	if taken < rounds {
		t.Errorf("only %d mails were taken in %d rounds: the kills came too early", taken, rounds)
	}
	t.Logf("%d mails taken in %d rounds", taken, rounds)
}

// killedWhileTaking lets three apps hand over mail to a server that is killed
// behind the fifth 250, and returns for whom the mails were that were taken.
func killedWhileTaking(t *testing.T, program, dir, password string, round int) (told []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "serve", "-listen", "127.0.0.1:0")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() // it was killed, which is an error
	defer cmd.Process.Kill()
	addr := ""
	for lines := bufio.NewScanner(out); addr == "" && lines.Scan(); {
		if m := relayAt.FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		}
	}
	if addr == "" {
		t.Fatal("the server does not say where apps hand over mail")
	}
	var mu sync.Mutex
	var apps sync.WaitGroup
	for n := range 3 {
		apps.Go(func() {
			conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
			if err != nil {
				return
			}
			defer conn.Close()
			c, err := smtp.NewClient(conn, "127.0.0.1")
			if err != nil || c.StartTLS(&tls.Config{InsecureSkipVerify: true}) != nil || // whose certificate it is does not matter here
				c.Auth(smtp.PlainAuth("", "nas", password, "127.0.0.1")) != nil {
				return
			}
			for i := range 50 {
				to := fmt.Sprintf("u%d-%d-%d@x.example", round, n, i)
				if mail(c, "nas@home.example", []string{to}, "From: nas@home.example\r\n\r\nfor "+to) != nil {
					return
				}
				mu.Lock()
				told = append(told, to)
				last := len(told) >= 5
				mu.Unlock()
				if last {
					_ = cmd.Process.Signal(syscall.SIGKILL) // others may have been faster
					return
				}
			}
		})
	}
	apps.Wait()
	return told
}
