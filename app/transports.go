package app

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"

	"gatelodge/app/email"
	"gatelodge/app/mail/check"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/dkim"
	"gatelodge/app/mail/mtasts"
	"gatelodge/app/mail/queue"
	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
)

// buildTransports builds the transports of mail. Direct delivery may have a smarthost as
// its standby.
func (a *App) buildTransports() {
	c := a.Config
	a.Resolver = resolve.New(c.Resolver(), a.Now)
	a.Resolver.TrustAD = c.Mail.TrustAD
	ip, family := c.MailSource()
	source := deliver.Source{Address: ip.Unmap(), Family: family}
	guard := reach.Guard{AllowPrivate: c.Mail.AllowPrivateDestinations}
	a.DKIM = &dkim.Ring{DB: a.DB, Domain: c.DKIMDomain(), Now: a.Now}
	if h := c.Smarthost(); c.Mail.Mode != "capture" && h.Host != "" {
		a.Smarthost = &deliver.Smarthost{
			Host: h.Host, Port: h.Port, TLS: deliver.TLSMode(h.TLS), User: h.User, Password: h.Password.Reveal(),
			EHLO: c.EHLOName(), Roots: a.Roots, Limits: deliver.SignInLimits(), Retry: deliver.RetryLimits(), Patience: deliver.RelayLimits(), Now: a.Now,
		}
	}
	if c.Mail.Mode == "direct" {
		a.Direct = &deliver.Direct{
			Resolver: a.Resolver, STS: mtasts.New(a.DB, a.Resolver, guard, a.Roots, a.Now), Guard: guard,
			Memory: &deliver.Memory{DB: a.DB, Now: a.Now, Log: a.Log},
			Port:   c.Mail.MXPort, EHLO: c.EHLOName(), Roots: a.Roots, Limits: deliver.SignInLimits(), Retry: deliver.RetryLimits(), Patience: deliver.RelayLimits(), Now: a.Now,
			Source: source, NoDANE: c.Mail.DANE == "off", SignInNeedsTLS: c.Mail.RequireTLSForSignIn,
		}
	}
	if a.Direct != nil && a.Smarthost != nil {
		a.standby = &deliver.Fallback{Direct: a.Direct, Smarthost: a.Smarthost}
	}
	a.Check = &check.Checker{
		Resolver: a.Resolver, DKIM: a.DKIM, Guard: guard, Direct: a.Direct, Smarthost: a.Smarthost, Source: source, From: c.MailFrom().Address,
		Contact: replyTo(c.Contact), EHLO: c.EHLOName(), Port: c.Mail.MXPort, Now: a.Now, Big: check.BigProviders(),
	}
}

// Send signs a message and sends it now, by the transport that the configuration names. beforeDot and trace are those of deliver.Smarthost.
func (a *App) Send(ctx context.Context, e deliver.Envelope, beforeDot func() error, trace func(deliver.Step)) deliver.Result {
	signed, err := a.DKIM.Sign(ctx, e.Body)
	if err != nil {
		// In transit unsigned, it could end as spam or be refused for good.
		a.Log.Error("mail could not be signed", "err", err)
		return deliver.Result{Class: deliver.Temporary, Stage: deliver.AtData, Text: "it could not be signed", Err: err}
	}
	if ours := !e.Patient || e.From == ""; ours && a.DKIM.Domain != "" && len(signed) == len(e.Body) {
		a.Log.Error("mail of ours is sent without a DKIM signature: its From is not of the domain that signs", "domain", a.DKIM.Domain, "to", email.DomainOf(e.To))
	}
	e.Body = signed
	switch {
	case a.standby != nil:
		return a.standby.Deliver(ctx, e, beforeDot, trace)
	case a.Direct != nil:
		return a.Direct.Deliver(ctx, e, beforeDot, trace)
	}
	return a.Smarthost.Deliver(ctx, e, beforeDot, trace)
}

// transport is the way mail goes out. Captured mail stays where it is.
func (a *App) transport() queue.Transport {
	if a.Direct == nil && a.Smarthost == nil {
		return queue.Transport{Name: "capture", Keep: true, Deliver: func(context.Context, deliver.Envelope, func() error) deliver.Result {
			return deliver.Result{Class: deliver.Sent}
		}}
	}
	t := queue.Transport{Name: a.Config.Mail.Mode, ByDomain: a.Direct != nil, Standby: a.standby, Deliver: func(ctx context.Context, e deliver.Envelope, beforeDot func() error) deliver.Result {
		return a.Send(ctx, e, beforeDot, nil)
	}}
	if a.Smarthost != nil {
		t.Probe = a.Smarthost.Greet
	}
	return t
}

// rootsOf returns the system's roots with those of a file, or nil for the
// system's alone.
func rootsOf(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("mail.ca_file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificates: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("mail.ca_file: %s holds no certificate in PEM form", path)
	}
	return roots, nil
}
