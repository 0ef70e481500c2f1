package upstream

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// withQuery adds parameters to an address.
func withQuery(address string, params url.Values) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // checked when it was set
	}
	q := u.Query()
	maps.Copy(q, params)
	u.RawQuery = q.Encode()
	return u.String()
}

// readGitHub reads a person and their addresses. /user has the one they show to
// the world, if any; only /user/emails tells what was verified. The id stays when
// they rename themselves and somebody else takes the old name.
func readGitHub(ctx context.Context, v *exchange) (Identity, error) {
	var raw claims
	if _, err := v.up.get(ctx, v.place.userinfo, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	who := Identity{Subject: raw.identifier("id"), Name: cmp.Or(raw.text("name"), raw.text("login")), Picture: raw.text("avatar_url")}
	type email struct {
		Email             string
		Primary, Verified bool
	}
	emails, err := readList[email](ctx, v, v.place.userinfo+"/emails", hundred, byLink)
	switch e, _ := errors.AsType[*statusError](err); {
	case e != nil && (e.status == http.StatusForbidden || e.status == http.StatusNotFound):
		// A GitHub App that was not given the right to read addresses. The one that the
		// person shows to the world proves nothing.
		v.lacks, who.Email = err, raw.text("email")
	case err != nil:
		return Identity{}, err
	}
	for _, e := range emails {
		if e.Primary {
			who.Email, who.Verified = e.Email, e.Verified
		}
	}
	if len(v.up.config.AllowGroups) > 0 {
		if who.Groups, err = gitHubGroups(ctx, v); err != nil {
			v.lacks = err
		}
	}
	return who, nil
}

// gitHubGroups are a user's organisations, and teams as "organisation/team". With an
// error it returns those that it could read.
func gitHubGroups(ctx context.Context, v *exchange) (list []string, err error) {
	orgs, err := readList[struct{ Login string }](ctx, v, v.place.userinfo+"/orgs", hundred, byLink)
	for _, o := range orgs {
		list = append(list, o.Login)
	}
	if err != nil || !strings.Contains(strings.Join(v.up.config.AllowGroups, " "), "/") {
		return list, err
	}
	type team struct {
		Slug         string
		Organization struct{ Login string }
	}
	teams, err := readList[team](ctx, v, v.place.userinfo+"/teams", hundred, byLink)
	for _, t := range teams {
		list = append(list, t.Organization.Login+"/"+t.Slug)
	}
	return list, err
}

// maxPages bounds a list: no user is in 2,000 organisations, and a provider that always
// has another page must not keep us.
const maxPages = 20

// hundred asks GitHub for as many as it puts on one page.
var hundred = url.Values{"per_page": {"100"}}

// readList reads a list that may come in several pages, the first by query. next
// returns the query of the page after this one, or nil after the last.
func readList[T any](ctx context.Context, v *exchange, at string, query url.Values, next func(page []T, asked url.Values, header http.Header) url.Values) ([]T, error) {
	var all []T
	for range maxPages {
		var page []T
		header, err := v.up.get(ctx, withQuery(at, query), v.token.AccessToken, &page)
		if err != nil {
			return all, err
		}
		all = append(all, page...)
		if query = next(page, query, header); query == nil {
			return all, nil
		}
	}
	v.up.log.Warn("a list has more pages than are read", "upstream", v.up.ID, "pages", maxPages)
	return all, nil
}

// byLink pages as GitHub does. Of the link to the next page only the query is used:
// the token goes nowhere else.
func byLink[T any](page []T, asked url.Values, header http.Header) url.Values {
	links := strings.Join(header.Values("Link"), ",")
	for link := range strings.SplitSeq(links, ",") {
		address, params, _ := strings.Cut(link, ";")
		u, err := url.Parse(strings.Trim(address, " <>"))
		if err == nil && strings.Contains(strings.ReplaceAll(params, `"`, ""), "rel=next") {
			return u.Query()
		}
	}
	if links != "" || len(page) < 100 {
		return nil
	}
	// A proxy took the links away.
	n, _ := strconv.Atoi(cmp.Or(asked.Get("page"), "1"))
	return url.Values{"per_page": {"100"}, "page": {strconv.Itoa(n + 1)}}
}

// readTwitter reads a person of X. It tells an address only when it is asked for
// users.email and the person has confirmed one.
func readTwitter(ctx context.Context, v *exchange) (Identity, error) {
	var raw claims
	at := withQuery(v.place.userinfo, url.Values{"user.fields": {"profile_image_url,confirmed_email"}})
	if _, err := v.up.get(ctx, at, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	email := raw.text("data.confirmed_email")
	return Identity{
		Subject: raw.identifier("data.id"), Name: cmp.Or(raw.text("data.name"), raw.text("data.username")), Email: email, Verified: email != "",
		Picture: raw.text("data.profile_image_url"),
	}, nil
}

// readFacebook reads a person of Facebook, which says nothing about whether an
// address was verified, and may tell none. The proof shows that the token was given
// to us and not to another app.
func readFacebook(ctx context.Context, v *exchange) (Identity, error) {
	mac := hmac.New(sha256.New, []byte(v.up.config.ClientSecret.Reveal()))
	mac.Write([]byte(v.token.AccessToken))
	var raw claims
	at := withQuery(v.place.userinfo, url.Values{"fields": {"id,name,email,picture"}, "appsecret_proof": {hex.EncodeToString(mac.Sum(nil))}})
	if _, err := v.up.get(ctx, at, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	return Identity{Subject: raw.identifier("id"), Name: raw.text("name"), Email: raw.text("email"), Picture: raw.text("picture.data.url")}, nil
}

// readDiscord reads a person of Discord; groups are the ids of servers.
func readDiscord(ctx context.Context, v *exchange) (Identity, error) {
	var raw claims
	if _, err := v.up.get(ctx, v.place.userinfo, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	who := Identity{
		Subject: raw.identifier("id"), Name: cmp.Or(raw.text("global_name"), raw.text("username")), Email: raw.text("email"), Verified: raw.yes("verified"),
	}
	who.Picture = discordPicture(who.Subject, raw.text("avatar"))
	if len(v.up.config.AllowGroups) == 0 {
		return who, nil
	}
	type server struct{ ID string }
	servers, err := readList(ctx, v, v.place.userinfo+"/guilds", url.Values{"limit": {"200"}}, func(page []server, _ url.Values, _ http.Header) url.Values {
		if len(page) < 200 {
			return nil
		}
		return url.Values{"limit": {"200"}, "after": {page[len(page)-1].ID}}
	})
	for _, s := range servers {
		who.Groups = append(who.Groups, s.ID)
	}
	v.lacks = err
	return who, nil
}

func discordPicture(id, avatar string) string {
	const cdn = "https://cdn.discordapp.com/"
	if avatar == "" {
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return ""
		}
		return cdn + "embed/avatars/" + strconv.FormatUint((n>>22)%6, 10) + ".png"
	}
	form := ".png"
	if strings.HasPrefix(avatar, "a_") {
		form = ".gif"
	}
	return cdn + "avatars/" + url.PathEscape(id) + "/" + url.PathEscape(avatar) + form
}
