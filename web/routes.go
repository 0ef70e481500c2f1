package web

import "net/http"

// route is one path that answers with pages. GET stands for HEAD too.
type route struct {
	method string
	path   string
	page   func(*Server, http.ResponseWriter, *http.Request) error
}

// handles returns what answers at the route.
func (r route) handles(s *Server) http.Handler {
	return s.page(r.path, func(w http.ResponseWriter, req *http.Request) error { return r.page(s, w, req) })
}

// methods returns those that a route with that method answers.
func methods(method string) []string {
	if method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{method}
}

// routes lists every path of ours that answers with pages. It is data: as code that
// makes each it would be the largest function of all.
func routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/", (*Server).getHome},
		{get, "/signin", (*Server).getSignIn},
		{post, "/signin", (*Server).postSignIn},
		{get, "/signin/password", (*Server).getPassword},
		{post, "/signin/password", (*Server).postPassword},
		{post, "/signin/known", (*Server).postKnown},
		{post, "/signin/forget", (*Server).postForget},
		{get, "/signin/forgot", (*Server).getForgot},
		{post, "/signin/forgot", (*Server).postForgot},
		{get, "/mailed/:token", (*Server).getMailed},
		{post, "/mailed/:token", (*Server).postMailed},
		{get, "/signin/code", (*Server).getCode},
		{post, "/signin/code", (*Server).postCode},
		{get, "/signin/delivery", (*Server).getDelivery},
		{post, "/signin/resend", (*Server).postResend},
		{get, "/signin/link/:token", (*Server).getLink},
		{post, "/signin/link/:token", (*Server).postLink},
		{get, "/signin/app/:name", (*Server).getEnter},
		{get, "/signin/step", (*Server).getStep},
		{post, "/signin/step", (*Server).postStep},
		{get, "/signin/with/:id", (*Server).getWith},
		{post, "/signin/with/:id", (*Server).postWith},
		{get, "/signin/connect", (*Server).getConnect},
		{post, "/signin/connect", (*Server).postConnect},
		{get, "/signup", (*Server).getSignUp},
		{post, "/signup", (*Server).postSignUp},
		{get, "/signup/waiting", (*Server).getWaiting},
		{get, "/invite/:token", (*Server).getInvite},
		{post, "/invite/:token", (*Server).postInvite},
		{get, "/setup", (*Server).getSetUp},
		{post, "/setup", (*Server).postSetUp},
		{get, "/signout", (*Server).getSignOut},
		{post, "/signout", (*Server).postSignOut},
		{get, "/account", (*Server).getAccount},
		{post, "/account/devices/:id/end", (*Server).postEndDevice},
		{post, "/account/end-others", (*Server).postEndOthers},
		{post, "/account/browsers/forget", (*Server).postForgetBrowser},
		{get, "/account/connect", (*Server).getOwnConnect},
		{post, "/account/connect", (*Server).postOwnConnect},
		{post, "/account/ways/link", (*Server).postLinkUpstream},
		{post, "/account/ways/unlink", (*Server).postUnlinkUpstream},
		{get, "/account/confirm", (*Server).getConfirm},
		{post, "/account/confirm", (*Server).postConfirm},
		{get, "/account/profile", (*Server).getProfile},
		{post, "/account/profile", (*Server).postProfile},
		{get, "/account/emails", (*Server).getEmails},
		{post, "/account/emails", (*Server).postEmail},
		{post, "/account/emails/primary", (*Server).postPrimary},
		{post, "/account/emails/remove", (*Server).postRemoveEmail},
		{post, "/account/emails/cancel", (*Server).postCancelEmail},
		{get, "/account/password", (*Server).getOwnPassword},
		{post, "/account/password", (*Server).postOwnPassword},
		{post, "/account/password/remove", (*Server).postRemovePassword},
		{get, "/account/history", (*Server).getHistory},
		{post, "/account/data", (*Server).postData},
		{get, "/account/close", (*Server).getClose},
		{post, "/account/close", (*Server).postClose},
		{get, adminMail, (*Server).getAdminMail},
		{get, adminMail + "/sent", (*Server).getAdminSent},
		{get, adminMail + "/blocked", (*Server).getAdminBlocked},
		{get, adminMail + "/dns", (*Server).getAdminDNS},
		{get, adminMail + "/test", (*Server).getAdminTest},
		{post, adminMail + "/test", (*Server).postAdminTest},
		{get, adminMail + "/message/:id", (*Server).getAdminMessage},
		{post, adminMail + "/retry", (*Server).postAdminRetry},
		{post, adminMail + "/hold", (*Server).postAdminHold},
		{post, adminMail + "/cancel", (*Server).postAdminCancel},
		{post, adminMail + "/unsuppress", (*Server).postAdminUnsuppress},
		{post, adminMail + "/check", (*Server).postAdminCheck},
		{get, "/error", (*Server).getError},

		{get, "/admin", (*Server).getAdmin},
		{get, "/admin/people", (*Server).getPeople},
		{post, "/admin/waiting/approve", (*Server).postApprove},
		{post, "/admin/waiting/refuse", (*Server).postRefuse},
		{get, "/admin/people/:id", (*Server).getPerson},
		{post, "/admin/people/:id/disable", (*Server).postDisable},
		{post, "/admin/people/:id/enable", (*Server).postEnable},
		{post, "/admin/people/:id/sign-out", (*Server).postSignOutPerson},
		{post, "/admin/people/:id/end", (*Server).postEndOne},
		{post, "/admin/people/:id/link", (*Server).postMailLink},
		{post, "/admin/people/:id/disconnect", (*Server).postDisconnectPerson},
		{post, "/admin/people/:id/remove-password", (*Server).postRemovePasswordOf},
		{get, "/admin/people/:id/remove", (*Server).getRemovePerson},
		{post, "/admin/people/:id/remove", (*Server).postRemovePerson},
		{post, "/admin/people/:id/join", (*Server).postJoin},
		{post, "/admin/people/:id/leave", (*Server).postLeave},
		{get, "/admin/groups", (*Server).getGroups},
		{post, "/admin/groups", (*Server).postGroup},
		{get, "/admin/groups/:name/remove", (*Server).getRemoveGroup},
		{post, "/admin/groups/:name/remove", (*Server).postRemoveGroup},
		{get, "/admin/invites", (*Server).getInvites},
		{post, "/admin/invites", (*Server).postInvites},
		{post, "/admin/invites/:id/revoke", (*Server).postRevoke},

		{get, "/dev/mail", inbox((*Server).getDevMail)},
		{post, "/dev/mail", inbox((*Server).postDevMail)},
		{get, "/dev/mail/:id", inbox((*Server).getDevMessage)},
		{get, "/dev/mail/:id/html", inbox((*Server).getDevHTML)},
	}
}

// others lists the paths that answer with something else.
func (s *Server) others() []other {
	const get, post = http.MethodGet, http.MethodPost
	return []other{
		{post, sendPath, s.handle(sendPath, false, s.postMail, s.failAPI)},
		{get, "/healthz", http.HandlerFunc(s.getHealth)},
		{get, "/readyz", http.HandlerFunc(s.getReady)},
		{get, "/static/*name", s.assets},
		{get, "/favicon.ico", http.HandlerFunc(s.getFavicon)},
		{get, "/robots.txt", http.HandlerFunc(s.getRobots)},
	}
}

// other is one path that answers with something else than pages.
type other struct {
	method, path string
	handler      http.Handler
}

// authRoutes lists the actions of the session API, below authBase. HEAD and all
// other methods are refused, as the clients' own servers do.
func authRoutes() []authRoute {
	const get, post = http.MethodGet, http.MethodPost
	return []authRoute{
		{get, "session", (*Server).getSession},
		{post, "session", (*Server).postSession},
		{get, "csrf", (*Server).getCSRF},
		{get, "providers", (*Server).getProviders},
		{get, "access-token", (*Server).getAccessToken},
		{get, "signin", (*Server).getAuthSignIn},
		{get, "signin/:", (*Server).getAuthSignInProvider},
		{post, "signin", (*Server).postSignInNowhere},
		{post, "signin/:", (*Server).postSignInProvider},
		{get, "callback/:", (*Server).getAuthCallback},
		{post, "callback/:", (*Server).postAuthCallback},
		{get, "signout", (*Server).getAuthSignOut},
		{post, "signout", (*Server).postAuthSignOut},
		{get, "error", (*Server).getAuthError},
		{get, "verify-request", (*Server).getVerifyRequest},
		{post, "_log", (*Server).postLog},
		{get, "webauthn-options/:", (*Server).getWebAuthnOptions},
		{get, "static/:", (*Server).getAuthStatic},
	}
}
