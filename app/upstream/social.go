package upstream

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

// withQuery adds parameters to an address.
func withQuery(address string, pairs ...string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // checked when it was set
	}
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// readGitHub reads a person and their addresses. /user has the one they show to
// the world, if any; only /user/emails tells what was verified. The id stays when
// they rename themselves and somebody else takes the old name.
func readGitHub(ctx context.Context, v *visit) (Identity, error) {
	var raw claims
	if err := v.up.get(ctx, v.place.userinfo, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	who := Identity{Subject: raw.text("id"), Name: cmp.Or(raw.text("name"), raw.text("login")), Picture: raw.text("avatar_url")}
	var emails []struct {
		Email             string
		Primary, Verified bool
	}
	if err := v.up.get(ctx, v.place.userinfo+"/emails", v.token.AccessToken, &emails); err != nil {
		return Identity{}, err
	}
	for _, e := range emails {
		if e.Primary {
			who.Email, who.Verified = e.Email, e.Verified
		}
	}
	var err error
	if len(v.up.config.AllowGroups) > 0 {
		who.Groups, err = gitHubGroups(ctx, v)
	}
	return who, err
}

// gitHubGroups are somebody's organisations, and teams as "organisation/team".
func gitHubGroups(ctx context.Context, v *visit) ([]string, error) {
	var list []string
	var orgs []struct{ Login string }
	if err := v.up.get(ctx, withQuery(v.place.userinfo+"/orgs", "per_page", "100"), v.token.AccessToken, &orgs); err != nil {
		return nil, err
	}
	for _, o := range orgs {
		list = append(list, o.Login)
	}
	if !strings.Contains(strings.Join(v.up.config.AllowGroups, " "), "/") {
		return list, nil
	}
	var teams []struct {
		Slug         string
		Organization struct{ Login string }
	}
	if err := v.up.get(ctx, withQuery(v.place.userinfo+"/teams", "per_page", "100"), v.token.AccessToken, &teams); err != nil {
		return nil, err
	}
	for _, t := range teams {
		list = append(list, t.Organization.Login+"/"+t.Slug)
	}
	return list, nil
}

// readTwitter reads a person of X. It tells an address only when it is asked for
// users.email and the person has confirmed one.
func readTwitter(ctx context.Context, v *visit) (Identity, error) {
	var raw claims
	at := withQuery(v.place.userinfo, "user.fields", "profile_image_url,confirmed_email")
	if err := v.up.get(ctx, at, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	email := raw.text("data.confirmed_email")
	return Identity{
		Subject: raw.text("data.id"), Name: cmp.Or(raw.text("data.name"), raw.text("data.username")), Email: email, Verified: email != "",
		Picture: raw.text("data.profile_image_url"),
	}, nil
}

// readFacebook reads a person of Facebook, which says nothing about whether an
// address was verified, and may tell none. The proof shows that the token was given
// to us and not to another app.
func readFacebook(ctx context.Context, v *visit) (Identity, error) {
	mac := hmac.New(sha256.New, []byte(v.up.config.ClientSecret.Reveal()))
	mac.Write([]byte(v.token.AccessToken))
	var raw claims
	at := withQuery(v.place.userinfo, "fields", "id,name,email,picture", "appsecret_proof", hex.EncodeToString(mac.Sum(nil)))
	if err := v.up.get(ctx, at, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	return Identity{Subject: raw.text("id"), Name: raw.text("name"), Email: raw.text("email"), Picture: raw.text("picture.data.url")}, nil
}

// readDiscord reads a person of Discord; groups are the ids of servers.
func readDiscord(ctx context.Context, v *visit) (Identity, error) {
	var raw claims
	if err := v.up.get(ctx, v.place.userinfo, v.token.AccessToken, &raw); err != nil {
		return Identity{}, err
	}
	who := Identity{
		Subject: raw.text("id"), Name: cmp.Or(raw.text("global_name"), raw.text("username")), Email: raw.text("email"), Verified: raw.yes("verified"),
	}
	who.Picture = discordPicture(who.Subject, raw.text("avatar"))
	if len(v.up.config.AllowGroups) == 0 {
		return who, nil
	}
	var servers []struct{ ID string }
	err := v.up.get(ctx, v.place.userinfo+"/guilds", v.token.AccessToken, &servers)
	for _, s := range servers {
		who.Groups = append(who.Groups, s.ID)
	}
	return who, err
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
