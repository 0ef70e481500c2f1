package web

import (
	"net/http"

	"gatelodge/web/shell"
)

// routes is every path of ours, and all that is decided about a request before its
// handler: see Route.
func (s *Server) routes() []shell.Route {
	const get, post = http.MethodGet, http.MethodPost
	action := func(method, path string, guard shell.Guard, h authFunc) shell.Route {
		path = authBase + path
		return shell.Route{Method: method, Path: path, Guard: guard, CSRF: shell.OwnSite, Action: s.Handle(path, s.atSite(h), s.failAuth)}
	}
	return []shell.Route{
		// Signing in.
		{Method: get, Path: "/", Guard: shell.Anyone, Page: s.getHome},
		{Method: get, Path: "/signin", Guard: shell.Anyone, Page: s.getSignIn},
		{Method: post, Path: "/signin", Guard: shell.Anyone, Page: s.postSignIn, Back: "/signin"},
		{Method: get, Path: "/signin/password", Guard: shell.Attempting, Page: s.getPassword},
		{Method: post, Path: "/signin/password", Guard: shell.Attempting, Page: s.postPassword, Back: "/signin/password"},
		{Method: post, Path: "/signin/known", Guard: shell.Anyone, Page: s.postKnown},
		{Method: post, Path: "/signin/forget", Guard: shell.Anyone, Page: s.postForget},
		{Method: get, Path: "/signin/forgot", Guard: shell.Anyone, Page: s.account.getForgot},
		{Method: post, Path: "/signin/forgot", Guard: shell.Anyone, Page: s.account.postForgot, Back: "/signin/forgot"},
		{Method: get, Path: "/mailed/:token", Guard: shell.Anyone, Page: s.account.getMailed},
		{Method: post, Path: "/mailed/:token", Guard: shell.Anyone, Page: s.account.postMailed},
		{Method: get, Path: "/signin/code", Guard: shell.Attempting, Page: s.getCode},
		{Method: post, Path: "/signin/code", Guard: shell.Attempting, Page: s.postCode, Back: "/signin/code"},
		{Method: get, Path: "/signin/delivery", Guard: shell.Anyone, Page: s.getDelivery},
		{Method: post, Path: "/signin/resend", Guard: shell.Attempting, Page: s.postResend, Back: "/signin/code"},
		{Method: get, Path: "/signin/link/:token", Guard: shell.Anyone, Page: s.getLink},
		{Method: post, Path: "/signin/link/:token", Guard: shell.Anyone, Page: s.postLink},
		{Method: get, Path: "/signin/app/:app", Guard: shell.Anyone, Page: s.getEnter},
		{Method: get, Path: "/signin/step", Guard: shell.Attempting, Page: s.getStep},
		{Method: post, Path: "/signin/step", Guard: shell.Attempting, Page: s.postStep},
		{Method: get, Path: "/signin/with/:id", Guard: shell.Anyone, Page: s.getWith},
		{Method: post, Path: "/signin/with/:id", Guard: shell.Anyone, Page: s.postWith},
		{Method: get, Path: "/signin/connect", Guard: shell.Attempting, Page: s.getConnect},
		{Method: post, Path: "/signin/connect", Guard: shell.Attempting, Page: s.postConnect},
		{Method: get, Path: "/signup", Guard: shell.Anyone, Page: s.getSignUp},
		{Method: post, Path: "/signup", Guard: shell.Anyone, Page: s.postSignUp, Back: "/signup"},
		{Method: get, Path: "/signup/waiting", Guard: shell.Anyone, Page: s.getWaiting},
		{Method: get, Path: "/invite/:token", Guard: shell.Anyone, Page: s.getInvite},
		{Method: post, Path: "/invite/:token", Guard: shell.Anyone, Page: s.postInvite},
		{Method: get, Path: "/setup", Guard: shell.Anyone, Page: s.getSetUp},
		{Method: post, Path: "/setup", Guard: shell.Anyone, Page: s.postSetUp, Back: "/setup"},
		{Method: get, Path: "/signout", Guard: shell.Anyone, Page: s.account.getSignOut},
		{Method: post, Path: "/signout", Guard: shell.Anyone, Page: s.account.postSignOut},
		{Method: get, Path: "/error", Guard: shell.Anyone, Page: s.getError},

		// One's own account.
		{Method: get, Path: "/account", Guard: shell.SignedIn, Page: s.account.getAccount},
		{Method: post, Path: "/account/devices/:id/end", Guard: shell.SignedIn, Page: s.account.postEndDevice, Back: "/account"},
		{Method: post, Path: "/account/end-others", Guard: shell.SignedIn, Page: s.account.postEndOthers, Back: "/account", Renews: true},
		{Method: post, Path: "/account/browsers/forget", Guard: shell.SignedIn, Page: s.account.postForgetBrowser, Back: "/account", Renews: true},
		{Method: get, Path: "/account/connect", Guard: shell.Fresh, Page: s.account.getOwnConnect, Back: "/account/connect"},
		{Method: post, Path: "/account/connect", Guard: shell.Fresh, Page: s.account.postOwnConnect, Back: "/account/connect", Renews: true},
		{Method: post, Path: "/account/methods/link", Guard: shell.Fresh, Page: s.account.postLinkUpstream, Back: "/account"},
		{Method: post, Path: "/account/methods/unlink", Guard: shell.Fresh, Page: s.account.postUnlinkUpstream, Back: "/account", Renews: true},
		{Method: get, Path: "/account/confirm", Guard: shell.SignedIn, Page: s.account.getConfirm},
		{Method: post, Path: "/account/confirm", Guard: shell.SignedIn, Page: s.account.postConfirm, Back: "/account/confirm"},
		{Method: get, Path: "/account/profile", Guard: shell.SignedIn, Page: s.account.getProfile},
		{Method: post, Path: "/account/profile", Guard: shell.SignedIn, Page: s.account.postProfile, Back: "/account/profile", Keeps: []string{"name", "username", "language", "theme", "time_zone"}},
		{Method: get, Path: "/account/emails", Guard: shell.SignedIn, Page: s.account.getEmails},
		{Method: post, Path: "/account/emails", Guard: shell.Fresh, Page: s.account.postEmail, Back: "/account/emails", Renews: true, Keeps: []string{"email"}},
		{Method: post, Path: "/account/emails/primary", Guard: shell.Fresh, Page: s.account.postPrimary, Back: "/account/emails", Renews: true},
		{Method: post, Path: "/account/emails/remove", Guard: shell.Fresh, Page: s.account.postRemoveEmail, Back: "/account/emails", Renews: true},
		{Method: post, Path: "/account/emails/cancel", Guard: shell.Fresh, Page: s.account.postCancelEmail, Back: "/account/emails", Renews: true},
		{Method: get, Path: "/account/password", Guard: shell.Fresh, Page: s.account.getOwnPassword, Back: "/account/password"},
		{Method: post, Path: "/account/password", Guard: shell.Fresh, Page: s.account.postOwnPassword, Back: "/account/password", Renews: true},
		{Method: post, Path: "/account/password/remove", Guard: shell.Fresh, Page: s.account.postRemovePassword, Back: "/account/password", Renews: true},
		{Method: get, Path: "/account/history", Guard: shell.SignedIn, Page: s.account.getHistory},
		{Method: post, Path: "/account/data", Guard: shell.Fresh, Page: s.account.postData, Back: "/account"},
		{Method: get, Path: "/account/close", Guard: shell.Fresh, Page: s.account.getClose, Back: "/account/close"},
		{Method: post, Path: "/account/close", Guard: shell.Fresh, Page: s.account.postClose, Back: "/account/close"},

		// Managing the server.
		{Method: get, Path: "/admin", Guard: shell.Admin, Page: s.admin.getAdmin},
		{Method: get, Path: "/admin/people", Guard: shell.Admin, Page: s.admin.getPeople},
		{Method: post, Path: "/admin/waiting/approve", Guard: shell.FreshAdmin, Page: s.admin.postApprove, Back: "/admin/people"},
		{Method: post, Path: "/admin/waiting/refuse", Guard: shell.FreshAdmin, Page: s.admin.postRefuse, Back: "/admin/people"},
		{Method: get, Path: "/admin/people/:id", Guard: shell.Admin, Page: s.admin.getPerson},
		{Method: post, Path: "/admin/people/:id/disable", Guard: shell.FreshAdmin, Page: s.admin.postDisable, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/enable", Guard: shell.FreshAdmin, Page: s.admin.postEnable, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/sign-out", Guard: shell.FreshAdmin, Page: s.admin.postSignOutPerson, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/end", Guard: shell.FreshAdmin, Page: s.admin.postEndOne, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/link", Guard: shell.FreshAdmin, Page: s.admin.postMailLink, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/disconnect", Guard: shell.FreshAdmin, Page: s.admin.postDisconnectPerson, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/remove-password", Guard: shell.FreshAdmin, Page: s.admin.postRemovePasswordOf, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/join", Guard: shell.FreshAdmin, Page: s.admin.postJoin, Back: "/admin/people/:id"},
		{Method: post, Path: "/admin/people/:id/leave", Guard: shell.FreshAdmin, Page: s.admin.postLeave, Back: "/admin/people/:id"},
		{Method: get, Path: "/admin/people/:id/remove", Guard: shell.Admin, Page: s.admin.getRemovePerson},
		{Method: post, Path: "/admin/people/:id/remove", Guard: shell.FreshAdmin, Page: s.admin.postRemovePerson, Back: "/admin/people/:id/remove"},
		{Method: get, Path: "/admin/help", Guard: shell.Admin, Page: s.admin.getHelp},
		{Method: get, Path: "/admin/help/:page", Guard: shell.Admin, Page: s.admin.getHelp},
		{Method: get, Path: "/admin/groups", Guard: shell.Admin, Page: s.admin.getGroups},
		{Method: post, Path: "/admin/groups", Guard: shell.FreshAdmin, Page: s.admin.postGroup, Back: "/admin/groups", Keeps: []string{"group"}},
		{Method: get, Path: "/admin/groups/:name/remove", Guard: shell.Admin, Page: s.admin.getRemoveGroup},
		{Method: post, Path: "/admin/groups/:name/remove", Guard: shell.FreshAdmin, Page: s.admin.postRemoveGroup, Back: "/admin/groups"},
		{Method: get, Path: "/admin/invites", Guard: shell.Admin, Page: s.admin.getInvites},
		{Method: post, Path: "/admin/invites", Guard: shell.FreshAdmin, Page: s.admin.postInvites, Back: "/admin/invites", Keeps: []string{"email", "group", "uses", "days"}},
		{Method: post, Path: "/admin/invites/:id/revoke", Guard: shell.FreshAdmin, Page: s.admin.postRevoke, Back: "/admin/invites"},
		{Method: get, Path: "/admin/mail", Guard: shell.Admin, Page: s.admin.getAdminMail},
		{Method: get, Path: "/admin/mail/sent", Guard: shell.Admin, Page: s.admin.getAdminSent},
		{Method: get, Path: "/admin/mail/blocked", Guard: shell.Admin, Page: s.admin.getAdminBlocked},
		{Method: get, Path: "/admin/mail/dns", Guard: shell.Admin, Page: s.admin.getAdminDNS},
		{Method: get, Path: "/admin/mail/test", Guard: shell.Admin, Page: s.admin.getAdminTest},
		{Method: get, Path: "/admin/mail/message/:id", Guard: shell.Admin, Page: s.admin.getAdminMessage},
		{Method: post, Path: "/admin/mail/test", Guard: shell.FreshAdmin, Page: s.admin.postAdminTest, Back: "/admin/mail/test"},
		{Method: post, Path: "/admin/mail/retry", Guard: shell.FreshAdmin, Page: s.admin.postAdminRetry, Back: "/admin/mail"},
		{Method: post, Path: "/admin/mail/hold", Guard: shell.FreshAdmin, Page: s.admin.postAdminHold, Back: "/admin/mail"},
		{Method: post, Path: "/admin/mail/cancel", Guard: shell.FreshAdmin, Page: s.admin.postAdminCancel, Back: "/admin/mail"},
		{Method: post, Path: "/admin/mail/check", Guard: shell.FreshAdmin, Page: s.admin.postAdminCheck, Back: "/admin/mail"},
		{Method: post, Path: "/admin/mail/unsuppress", Guard: shell.FreshAdmin, Page: s.admin.postAdminUnsuppress, Back: "/admin/mail/blocked"},

		// Captured mail.
		{Method: get, Path: "/dev/mail", Guard: shell.InboxKey, Page: s.inbox.getDevMail},
		{Method: post, Path: "/dev/mail", Guard: shell.InboxKey, Page: s.inbox.postDevMail},
		{Method: get, Path: "/dev/mail/:id", Guard: shell.InboxKey, Page: s.inbox.getDevMessage},
		{Method: get, Path: "/dev/mail/:id/html", Guard: shell.InboxKey, Page: s.inbox.getDevHTML},

		// What is not for people: mail from apps, watching, and files.
		{Method: post, Path: sendPath, Guard: shell.Credential, MaxBody: -1, API: s.postMail},
		{Method: get, Path: "/healthz", Guard: shell.Anyone, Plain: http.HandlerFunc(s.probes.getHealth)},
		{Method: get, Path: "/readyz", Guard: shell.Anyone, Plain: http.HandlerFunc(s.probes.getReady)},
		{Method: get, Path: "/static/*name", Guard: shell.Anyone, Plain: s.assets},
		{Method: get, Path: "/favicon.ico", Guard: shell.Anyone, Plain: http.HandlerFunc(s.getFavicon)},
		{Method: get, Path: "/robots.txt", Guard: shell.Anyone, Plain: http.HandlerFunc(s.getRobots)},

		// The session API. HEAD and all other methods are refused, as the clients' own
		// servers do.
		action(get, "session", shell.Client, s.getSession),
		action(post, "session", shell.Client, s.postSession),
		action(get, "csrf", shell.Client, s.getCSRF),
		action(get, "providers", shell.Client, s.getProviders),
		action(get, "access-token", shell.AppUser, s.getAccessToken),
		action(get, "signin", shell.Client, s.getAuthSignIn),
		action(get, "signin/:", shell.Client, s.getAuthSignInProvider),
		action(post, "signin", shell.Client, s.postSignInNowhere),
		action(post, "signin/:", shell.Client, s.postSignInProvider),
		action(get, "callback/:", shell.Client, s.getAuthCallback),
		action(post, "callback/:", shell.Client, s.postAuthCallback),
		action(get, "signout", shell.Client, s.getAuthSignOut),
		action(post, "signout", shell.Client, s.postAuthSignOut),
		action(get, "error", shell.Client, s.getAuthError),
		action(get, "verify-request", shell.Client, s.getVerifyRequest),
		action(post, "_log", shell.Client, s.postLog),
		action(get, "webauthn-options/:", shell.Client, s.getWebAuthnOptions),
		action(get, "static/:", shell.Client, s.getAuthStatic),
	}
}
