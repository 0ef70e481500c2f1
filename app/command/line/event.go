package line

import (
	"cmp"
	"fmt"
	"time"

	"gatelodge/app/audit"
	"gatelodge/store"
)

// EventJSON is a line of the audit log as scripts read it.
type EventJSON struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	What      string    `json:"what"`
	UserID    string    `json:"userId,omitempty"`
	Actor     string    `json:"actor"`
	AdminID   string    `json:"adminId,omitempty"`
	Admin     string    `json:"admin,omitempty"` // their address now
	IP        string    `json:"ip"`
	Device    string    `json:"device"`
	Reference string    `json:"reference"`
	Detail    string    `json:"detail,omitempty"`
	Route     string    `json:"route,omitempty"`
	Status    int       `json:"status,omitempty"`
	Cause     string    `json:"cause,omitempty"`
}

// DescribeEvents says events for scripts.
func DescribeEvents(events []store.Event) []EventJSON {
	list := make([]EventJSON, len(events))
	for i, e := range events {
		list[i] = EventJSON{
			At: e.At, Kind: e.Kind, What: What(e.Kind, e.Detail), UserID: e.UserID, Actor: e.Actor, IP: e.IP, Device: e.Device,
			Reference: e.Reference, Detail: e.Detail, AdminID: e.AdminID, Admin: e.Admin,
		}
	}
	return list
}

// sentences say each kind of event.
var sentences = map[string]string{
	audit.SetUp:           "The server was set up and the first admin made.",
	audit.SetUpRefused:    "Somebody tried to set the server up with a wrong code.",
	audit.LinkAsked:       "Somebody asked for a sign-in mail.",
	audit.LinkLimited:     "A sign-in mail was refused because too many were asked for.",
	audit.SignedIn:        "Signed in.",
	audit.SignInRefused:   "A sign-in was refused.",
	audit.PasswordLimited: "A password was refused unseen because too many were wrong.",
	audit.NewBrowser:      "Signed in with a browser that was not known before.",
	audit.Confirmed:       "Confirmed that it was them.",
	audit.BrowserGone:     "A browser was forgotten.",
	audit.PasswordSet:     "A password was set.",
	audit.PasswordRemoved: "The password was removed.",
	audit.ResetAsked:      "Somebody asked for a mail to set a new password.",
	audit.ProfileChanged:  "The profile was changed.",
	audit.NotMe:           "The owner said that it was not them.",
	audit.Closed:          "The user closed their account.",
	audit.Reopened:        "The user opened their account again.",
	audit.DataTaken:       "The user took a copy of their data.",
	audit.Erased:          "A closed account was erased.",
	audit.MailChanged:     "An admin changed what becomes of a mail.",
	audit.LinkVoided:      "A sign-in link was voided by somebody who had not asked for it.",
	audit.SignedOut:       "Signed out.",
	audit.SessionEnded:    "A device was signed out.",
	audit.SessionsEnded:   "Devices were signed out.",
	audit.Claimed:         "The owner of the address came for the first time; what opened the account before was removed.",
	audit.AppEntered:      "Signed in to an app.",
	audit.UserChanged:     "The user changed their profile.",
	audit.UserAdded:       "The user was added.",
	audit.UserLinked:      "An operator made a sign-in link for the user.",
	audit.UserDisabled:    "The account was suspended.",
	audit.UserEnabled:     "The account was opened again.",
	audit.UserRemoved:     "The user was removed.",
	audit.UserCame:        "Came and made an account.",
	audit.UserApproved:    "The user was let in by an admin.",
	audit.Applied:         "Somebody asked to be let in.",
	audit.ApplicantOut:    "Somebody who asked to be let in was refused.",
	audit.GroupAdded:      "A group was made.",
	audit.GroupRemoved:    "A group was removed.",
	audit.GroupJoined:     "The user joined a group.",
	audit.GroupLeft:       "The user left a group.",
	audit.InviteAdded:     "Somebody was invited.",
	audit.InviteAccepted:  "The user accepted an invite.",
	audit.InviteRevoked:   "An invite was taken back.",
	audit.UserImported:    "The user was taken over from another system.",
	audit.Imported:        "People were taken over from another system.",
	audit.Exported:        "An operator exported the people.",
	audit.KeyRotated:      "A new sealing key was made.",
	audit.KeyDropped:      "Sealing keys with which nothing was sealed were removed.",
	audit.BackupMade:      "A backup was made.",
	audit.BackupFailed:    "A backup failed.",
	audit.RequestRefused:  "A request was refused.",
	audit.RequestFailed:   "A request failed on this server's side.",
}

// named are the sentences of events that are about an address or an upstream, which
// stands in their detail.
var named = map[string]string{
	audit.EmailAsked:     "A link was mailed to %s, which is to be added.",
	audit.EmailCancelled: "%s, which waited to be confirmed, was taken back.",
	audit.EmailAdded:     "The address %s was added.",
	audit.EmailPrimary:   "The main address was changed to %s.",
	audit.EmailRemoved:   "The address %s was removed.",
	audit.EmailUndone:    "A change of the address %s was taken back.",
	audit.Linked:         "An account at %s was connected.",
	audit.Unlinked:       "An account at %s was disconnected.",
}

// What says an event in English.
func What(kind, detail string) string {
	if form, ok := named[kind]; ok {
		return fmt.Sprintf(form, detail)
	}
	text := sentences[kind]
	if text == "" {
		text = kind
	}
	if said := RefusalText(detail); said != "" {
		text += " " + said
	}
	return text
}

// PrintEvents prints events for people.
func (c *Call) PrintEvents(events []store.Event) error {
	for _, e := range DescribeEvents(events) {
		by := ""
		if e.AdminID != "" {
			by = "by " + cmp.Or(e.Admin, "an admin who is gone ("+e.AdminID+")") + ", "
		}
		if _, err := fmt.Fprintf(c.Out, "%s  %s\n                      %s%s, %s, %s\n", Stamp(e.At), e.What, by, e.IP, e.Device, e.Reference); err != nil {
			return err
		}
	}
	return nil
}
