package web

import "net/http"

// route is one path. GET stands for HEAD too.
type route struct {
	method  string
	path    string
	handler http.Handler
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
		return route{method, path, s.page(path, h)}
	}
	api := func(method, path string, h handlerFunc) route {
		return route{method, path, s.api(path, h)}
	}
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		page(get, "/", s.getHome),
		page(get, "/signin", s.getSignIn),
		page(post, "/signin", s.postSignIn),
		page(get, "/signin/code", s.getCode),
		page(post, "/signin/code", s.postCode),
		page(post, "/signin/resend", s.postResend),
		page(get, "/signin/link/:token", s.getLink),
		page(post, "/signin/link/:token", s.postLink),
		page(get, "/setup", s.getSetUp),
		page(post, "/setup", s.postSetUp),
		page(get, "/signout", s.getSignOut),
		page(post, "/signout", s.postSignOut),
		page(get, "/account", s.getAccount),
		page(post, "/account/devices/:id/end", s.postEndDevice),
		page(post, "/account/end-others", s.postEndOthers),
		page(get, "/error", s.getError),

		page(get, "/dev/mail", s.getDevMail),
		page(post, "/dev/mail", s.postDevMail),
		page(get, "/dev/mail/:id", s.getDevMessage),
		page(get, "/dev/mail/:id/html", s.getDevHTML),

		api(get, "/api/auth/session", s.getSession),

		{get, "/healthz", http.HandlerFunc(s.getHealth)},
		{get, "/readyz", http.HandlerFunc(s.getReady)},
		{get, "/static/*name", s.assets},
		{get, "/favicon.ico", http.HandlerFunc(s.getFavicon)},
		{get, "/robots.txt", http.HandlerFunc(s.getRobots)},
	}
}
