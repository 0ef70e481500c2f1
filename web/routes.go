package web

import "net/http"

// route is one path. GET stands for HEAD too.
type route struct {
	method  string
	path    string
	page    handlerFunc  // answers with pages, or nil
	handler http.Handler // else
}

// serve returns what answers at the route.
func (r route) serve(s *Server) http.Handler {
	if r.page != nil {
		return s.page(r.path, r.page)
	}
	return r.handler
}

func (r route) methods() []string {
	if r.method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.method}
}

// routes lists every path of ours.
func (s *Server) routes() []route {
	page := func(method, path string, h handlerFunc) route {
		return route{method: method, path: path, page: h}
	}
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		page(get, "/", s.getHome),
		page(get, "/signin", s.getSignIn),
		page(post, "/signin", s.postSignIn),
		page(get, "/signin/password", s.getPassword),
		page(post, "/signin/password", s.postPassword),
		page(post, "/signin/known", s.postKnown),
		page(post, "/signin/forget", s.postForget),
		page(get, "/signin/forgot", s.getForgot),
		page(post, "/signin/forgot", s.postForgot),
		page(get, "/mailed/:token", s.getMailed),
		page(post, "/mailed/:token", s.postMailed),
		page(get, "/signin/code", s.getCode),
		page(post, "/signin/code", s.postCode),
		page(get, "/signin/delivery", s.getDelivery),
		page(post, "/signin/resend", s.postResend),
		page(get, "/signin/link/:token", s.getLink),
		page(post, "/signin/link/:token", s.postLink),
		page(get, "/signin/app/:name", s.getEnter),
		page(get, "/signin/with/:id", s.getWith),
		page(post, "/signin/with/:id", s.postWith),
		page(get, "/signin/connect", s.getConnect),
		page(post, "/signin/connect", s.postConnect),
		page(get, "/signup", s.getSignUp),
		page(post, "/signup", s.postSignUp),
		page(get, "/signup/waiting", s.getWaiting),
		page(get, "/invite/:token", s.getInvite),
		page(post, "/invite/:token", s.postInvite),
		page(get, "/setup", s.getSetUp),
		page(post, "/setup", s.postSetUp),
		page(get, "/signout", s.getSignOut),
		page(post, "/signout", s.postSignOut),
		page(get, "/account", s.getAccount),
		page(post, "/account/devices/:id/end", s.postEndDevice),
		page(post, "/account/end-others", s.postEndOthers),
		page(get, "/account/connect", s.getOwnConnect),
		page(post, "/account/connect", s.postOwnConnect),
		page(post, "/account/ways/link", s.postLinkUpstream),
		page(post, "/account/ways/unlink", s.postUnlinkUpstream),
		page(get, "/account/confirm", s.getConfirm),
		page(post, "/account/confirm", s.postConfirm),
		page(get, "/account/profile", s.getProfile),
		page(post, "/account/profile", s.postProfile),
		page(get, "/account/emails", s.getEmails),
		page(post, "/account/emails", s.postEmail),
		page(post, "/account/emails/primary", s.postPrimary),
		page(post, "/account/emails/remove", s.postRemoveEmail),
		page(post, "/account/emails/cancel", s.postCancelEmail),
		page(get, "/account/password", s.getOwnPassword),
		page(post, "/account/password", s.postOwnPassword),
		page(post, "/account/password/remove", s.postRemovePassword),
		page(get, "/account/history", s.getHistory),
		page(post, "/account/data", s.postData),
		page(get, "/account/close", s.getClose),
		page(post, "/account/close", s.postClose),
		page(get, adminMail, s.getAdminMail),
		page(get, adminMail+"/sent", s.getAdminSent),
		page(get, adminMail+"/blocked", s.getAdminBlocked),
		page(get, adminMail+"/dns", s.getAdminDNS),
		page(get, adminMail+"/test", s.getAdminTest),
		page(post, adminMail+"/test", s.postAdminTest),
		page(get, adminMail+"/message/:id", s.getAdminMessage),
		page(post, adminMail+"/retry", s.postAdminRetry()),
		page(post, adminMail+"/hold", s.postAdminHold()),
		page(post, adminMail+"/cancel", s.postAdminCancel()),
		page(post, adminMail+"/unsuppress", s.postAdminUnsuppress),
		page(post, adminMail+"/check", s.postAdminCheck),
		page(get, "/error", s.getError),

		page(get, "/admin", s.getAdmin),
		page(get, "/admin/people", s.getPeople),
		page(post, "/admin/waiting/approve", s.postApprove),
		page(post, "/admin/waiting/refuse", s.postRefuse),
		page(get, "/admin/people/:id", s.getPerson),
		page(post, "/admin/people/:id/disable", s.postDisable),
		page(post, "/admin/people/:id/enable", s.postEnable),
		page(post, "/admin/people/:id/sign-out", s.postSignOutPerson),
		page(post, "/admin/people/:id/join", s.postJoin),
		page(post, "/admin/people/:id/leave", s.postLeave),
		page(get, "/admin/groups", s.getGroups),
		page(post, "/admin/groups", s.postGroup),
		page(post, "/admin/groups/:name/remove", s.postRemoveGroup),
		page(get, "/admin/invites", s.getInvites),
		page(post, "/admin/invites", s.postInvites),
		page(post, "/admin/invites/:id/revoke", s.postRevoke),

		page(get, "/dev/mail", s.getDevMail),
		page(post, "/dev/mail", s.postDevMail),
		page(get, "/dev/mail/:id", s.getDevMessage),
		page(get, "/dev/mail/:id/html", s.getDevHTML),

		{post, sendPath, nil, s.handle(sendPath, false, s.postMail, s.failAPI)},

		{get, "/healthz", nil, http.HandlerFunc(s.getHealth)},
		{get, "/readyz", nil, http.HandlerFunc(s.getReady)},
		{get, "/static/*name", nil, s.assets},
		{get, "/favicon.ico", nil, http.HandlerFunc(s.getFavicon)},
		{get, "/robots.txt", nil, http.HandlerFunc(s.getRobots)},
	}
}

// authRoutes lists the actions of the session API, below authBase. HEAD and all
// other methods are refused, as the clients' own servers do.
func (s *Server) authRoutes() []authRoute {
	const get, post = http.MethodGet, http.MethodPost
	return []authRoute{
		{get, "session", s.getSession},
		{post, "session", s.postSession},
		{get, "csrf", s.getCSRF},
		{get, "providers", s.getProviders},
		{get, "access-token", s.getAccessToken},
		{get, "signin", s.getAuthSignIn},
		{get, "signin/:", s.getAuthSignInProvider},
		{post, "signin", s.postSignInNowhere},
		{post, "signin/:", s.postSignInProvider},
		{get, "callback/:", s.getAuthCallback},
		{post, "callback/:", s.postAuthCallback},
		{get, "signout", s.getAuthSignOut},
		{post, "signout", s.postAuthSignOut},
		{get, "error", s.getAuthError},
		{get, "verify-request", s.getVerifyRequest},
		{post, "_log", s.postLog},
		{get, "webauthn-options/:", s.getWebAuthnOptions},
		{get, "static/:", s.getAuthStatic},
	}
}
