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

// DescribeEvents returns events in a form for scripts.
func (c *Call) DescribeEvents(events []store.Event) []EventJSON {
	list := make([]EventJSON, len(events))
	for i, e := range events {
		list[i] = EventJSON{
			At: e.At, Kind: e.Kind, What: What(e.Kind, e.Detail, c.About()...), UserID: e.UserID, Actor: e.Actor, IP: e.IP, Device: e.Device,
			Reference: e.Reference, Detail: e.Detail, AdminID: e.AdminID, Admin: e.Admin,
		}
	}
	return list
}

// sentences describe each kind of event.
var sentences = map[string]string{
	audit.SetUp:           "The server was set up, and the first admin was created.",
	audit.SetUpRefused:    "A wrong set-up code was entered.",
	audit.LinkAsked:       "A sign-in link was requested.",
	audit.LinkLimited:     "A sign-in link was refused: too many were requested.",
	audit.SignedIn:        "Signed in.",
	audit.SignInRefused:   "A sign-in was refused.",
	audit.PasswordLimited: "A password was refused without a check: too many were wrong.",
	audit.NewBrowser:      "Signed in with a new browser.",
	audit.Confirmed:       "Confirmed their identity.",
	audit.BrowserGone:     "A browser was forgotten.",
	audit.PasswordSet:     "A password was set.",
	audit.PasswordRemoved: "The password was removed.",
	audit.ResetAsked:      "A new password was requested.",
	audit.ProfileChanged:  "The profile was changed.",
	audit.NotMe:           "The owner reported a sign-in that was not theirs.",
	audit.Closed:          "The user closed their account.",
	audit.Reopened:        "The user reopened their account.",
	audit.DataTaken:       "The user downloaded their data.",
	audit.Erased:          "A closed account was deleted.",
	audit.MailChanged:     "An admin changed mail in the queue or where mail goes.",
	audit.LinkVoided:      "A sign-in link was cancelled by a person who had not requested it.",
	audit.SignedOut:       "Signed out.",
	audit.SessionEnded:    "A device was signed out.",
	audit.SessionsEnded:   "Devices were signed out.",
	audit.Claimed:         "The owner confirmed the address. Earlier sign-in methods were removed.",
	audit.AppEntered:      "Signed in to an app.",
	audit.UserChanged:     "The user changed their profile.",
	audit.UserAdded:       "The user was added.",
	audit.UserLinked:      "An admin created a sign-in link for the user.",
	audit.UserDisabled:    "The account was suspended.",
	audit.UserEnabled:     "The account was reactivated.",
	audit.UserRemoved:     "The user was removed.",
	audit.UserCame:        "Created an account.",
	audit.UserApproved:    "An admin approved the account.",
	audit.Applied:         "An account was requested.",
	audit.ApplicantOut:    "A request for an account was declined.",
	audit.GroupAdded:      "A group was created.",
	audit.GroupRemoved:    "A group was deleted.",
	audit.GroupJoined:     "The user joined a group.",
	audit.GroupLeft:       "The user left a group.",
	audit.InviteAdded:     "An invitation was created.",
	audit.InviteAccepted:  "The user accepted an invitation.",
	audit.InviteRevoked:   "An invitation was revoked.",
	audit.UserImported:    "The user was imported from another system.",
	audit.Imported:        "Users were imported from another system.",
	audit.Exported:        "The users were exported.",
	audit.KeyRotated:      "A new sealing key was created.",
	audit.KeyDropped:      "Unused sealing keys were removed.",
	audit.BackupMade:      "A backup was made.",
	audit.BackupFailed:    "A backup failed.",
	audit.RequestRefused:  "A request was refused.",
	audit.RequestFailed:   "A request failed on the server.",
}

// named are the sentences of events about an address or a provider, which their detail
// names.
var named = map[string]string{
	audit.EmailAsked:     "A confirmation link was mailed to %s.",
	audit.EmailCancelled: "The confirmation of %s was cancelled.",
	audit.EmailAdded:     "The address %s was added.",
	audit.EmailPrimary:   "The main address was changed to %s.",
	audit.EmailRemoved:   "The address %s was removed.",
	audit.EmailUndone:    "A change of the address %s was undone.",
	audit.Linked:         "An account at %s was connected.",
	audit.Unlinked:       "An account at %s was disconnected.",
}

// What describes an event in English.
func What(kind, detail string, about ...any) string {
	if form, ok := named[kind]; ok {
		return fmt.Sprintf(form, detail)
	}
	text := sentences[kind]
	if text == "" {
		text = kind
	}
	if said := RefusalText(detail, about...); said != "" {
		text += " " + said
	}
	return text
}

// PrintEvents prints events for people.
func (c *Call) PrintEvents(events []store.Event) error {
	for _, e := range c.DescribeEvents(events) {
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
