// Package mail_test holds the list of what can go wrong with mail that is sent,
// and where it is shown what happens then.
package mail_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// faults are the rows of the fault table. Each test is named by its directory
// and function, and says itself, in its comment or a name within, of which row
// it is.
var faults = []struct {
	words string
	tests []string
}{
	{"451/450 greylist at RCPT: tried again from the same address until it is taken", []string{
		"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsNotTried", "app/mail/queue TestAGreylistedMailIsTriedUntilItIsTaken",
		"app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"421 in the greeting or later: the next server, and the domain is left alone for a while", []string{
		"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsTried", "app/mail/deliver TestAServerThatWantsLessMailGetsLess",
		"app/mail/queue TestADeadDomainIsLeftAlone", "app/mail/queue TestADomainThatWantsLessMailGetsLess",
	}},
	{"550 5.1.1 at RCPT: failed at once, the address suppressed, the body gone", []string{
		"app/mail/deliver TestFaults", "app/mail/queue TestARefusedMailIsNotTriedAgain", "app/mail/queue TestAnAddressThatRefusesMailIsSuppressed",
		"app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"550/554 5.7.x: over the other family once, three times in all, nobody suppressed", []string{
		"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsNotTried", "app/mail/deliver TestARefusalOfUsIsAskedOverTheOtherFamilyOnce",
		"app/mail/queue TestAServerThatRefusesUsIsAskedThreeTimes", "app/mail/queue TestRefusalsAreCountedAndNotTries",
		"web TestARefusalForReasonsOfPolicyIsOnEveryAdminPage", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"552/452: a full mailbox is for good, a full disk for now, a size for good", []string{
		"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsNotTried", "app/mail/queue TestAnAddressThatRefusesMailIsSuppressed",
		"app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"554 greeting: the next server, three times in all", []string{
		"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsTried", "app/mail/queue TestAServerThatRefusesUsIsAskedThreeTimes",
	}},
	{"reset, end or silence after the final dot: sent once more and never again", []string{
		"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsNotTried", "app/mail/queue TestAnAmbiguousMailIsSentOnceMoreAndNeverAgain",
	}},
	{"4xx after the final dot: tried again", []string{"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsNotTried"}},
	{"STARTTLS fails: in clear once, and never where TLS is demanded", []string{
		"app/mail/deliver TestABrokenHandshakeIsFollowedByOneSessionInClear", "app/mail/deliver TestADomainThatSpokeTLSGetsNothingInClear", "app/mail/deliver TestMTASTS",
	}},
	{"a bad certificate: any will do, unless one is demanded", []string{
		"app/mail/deliver TestCertificatesThatAreNotDemandedMayBeBad", "app/mail/deliver TestMTASTS", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"words slipped in after the STARTTLS reply: the session ends", []string{
		"app/mail/deliver TestInjectedWordsEndTheSession", "app/mail/deliver TestTLSIsRequiredAndVerified",
	}},
	{"STARTTLS stripped from a domain that has it: nothing goes, until an operator forgets it", []string{
		"app/mail/deliver TestADomainThatSpokeTLSGetsNothingInClear", "app/mail/deliver TestSignInMailNeedsTLSWhereThatIsAsked",
		"app/mail/deliver TestTheMemoryOfTLSIsRefreshed",
	}},
	{"connections that are dropped: ten seconds, then the next address", []string{
		"app/mail/deliver TestAServerBehindASilentFirewallIsPassedOver", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"three of four servers dead: the fourth is used, the dead are remembered", []string{"app/mail/deliver TestDeadServersArePassedOver"}},
	{"DNS fails, is silent or forged: tried again, never refused", []string{
		"app/mail/deliver TestNames", "app/mail/deliver TestASilentResolverPutsMailOff", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"a domain that does not exist: for good when that is so a minute later", []string{
		"app/mail/deliver TestNames", "app/mail/deliver TestAMissingDomainIsConfirmedBeforeItIsGivenUp",
		"app/mail/deliver TestAnAbsenceOfLongAgoConfirmsNothing", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"the null MX: for good, at once", []string{"app/mail/deliver TestNames", "app/mail/peers TestMailServersOfOthersTakeOurMail"}},
	{"a server at a private address, or ourselves: refused, nobody knocks", []string{
		"app/mail/deliver TestNames", "app/mail/deliver TestPrivateDestinationsAreRefused", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"CNAMEs: followed, up to eight", []string{"app/mail/deliver TestNames"}},
	{"a slow-loris: ends within its limits, others go on", []string{
		"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsTried", "app/mail/queue TestADeadDomainHoldsUpNobodyElse",
	}},
	{"a server that stops reading: left, and tried again", []string{"app/mail/deliver TestAServerThatStopsReadingIsLeft"}},
	{"reply lines without end: cut off", []string{"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsTried"}},
	{"a garbage banner, a wrong code: the next server, later", []string{"app/mail/deliver TestFaults", "app/mail/deliver TestTheNextServerIsTried"}},
	{"QUIT hangs: it was sent", []string{"app/mail/deliver TestFaults", "app/mail/deliver TestAQuitThatHangsHoldsUpNoReport"}},
	{"10,000 queued, a dead domain: a sign-in leaves within a second, memory stays", []string{
		"app/mail/queue TestTenThousandForADeadDomainDelayNoSignIn", "app/mail/queue TestSignInMailOvertakesTenThousandOthers",
		"app/mail/deliver TestMailOfAppsLeavesPlacesAtASharedServer",
	}},
	{"kill -9 at every step: nothing lost, two copies at most", []string{"app/mail/queue TestKilledAtEveryStep"}},
	{"the disk is full, or read-only: words, and no half row", []string{
		"app/command TestADiskThatFillsUpUnderTheServer", "app/mail/submission TestADiskThatIsNearlyFullTakesNoMail",
	}},
	{"the clock jumps an hour: no rush, nothing twice", []string{"app/mail/queue TestAClockThatIsSetByAnHourSendsNothingTwice"}},
	{"the smarthost refuses our login: the way pauses, mail is kept", []string{
		"app/mail/deliver TestFaults", "app/mail/queue TestARefusedLoginPausesTheWayAndKeepsTheMail",
		"app/mail/queue TestAPausedWayIsNoHotLoopWhereMailGoesDirectly", "app/mail/deliver TestAStandbyThatRefusesOurLoginIsLeftAlone",
		"app/mail/deliver TestMailThatOnlyTheStandbyCanTakeWaitsForIt",
	}},
	{"the smarthost is away for ten minutes: what is not too late leaves within half a minute", []string{"app/mail/queue TestMailLeavesWithinHalfAMinuteOfTheRecovery"}},
	{"MTA-STS: 404, redirect, bad certificate, a megabyte, a new id, the end: the last good policy holds", []string{
		"app/mail/mtasts TestTheLastGoodPolicyIsKept", "app/mail/deliver TestMTASTS", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"TLSA that fails or does not fit: that server is passed over", []string{
		"app/mail/deliver TestDANE", "app/mail/deliver TestDANEHoldsThoughOneFamilyFails", "app/mail/deliver TestRecordsThatMeanNothingLeaveMTASTSInForce", "app/mail/peers TestMailServersOfOthersTakeOurMail",
	}},
	{"CR and LF in a name, a subject, an address: refused before the queue", []string{"app/mail/compose FuzzHeaderInjection", "app/mail/deliver TestWhatMustNotBeSentIsNot"}},
	{"submission without a login, with six wrong ones, a foreign From, 101 recipients, too many bytes, bare LF, smuggling: refused", []string{
		"app/mail/submission TestSmuggledMailIsRefused", "app/mail/submission TestRatesSizesAndRecipientsAreBounded",
		"app/mail/submission TestFiveWrongPasswordsCloseTheDoor", "app/mail/submission TestAnAppSendsAsItselfToWhomItMay",
	}},
	{"open-relay probes: all refused", []string{"app/mail/submission TestOpenRelayProbesAreRefused"}},
	{"one address clicks 50 times: three mails at most, the newest link is good", []string{"web TestFiftyClicksSendAtMostThreeMails"}},
	{"a link that was used or cancelled while its mail waited: never sent", []string{"app/mail/queue TestACancelledMailIsNeverSent"}},
}

func TestEveryRowOfTheFaultTableHasItsTest(t *testing.T) {
	if len(faults) != 37 {
		t.Fatalf("the table has 37 rows, here are %d", len(faults))
	}
	packages := make(map[string]map[string]string)
	for i, fault := range faults {
		row := i + 1
		t.Run(fmt.Sprintf("row %02d, %s", row, fault.words), func(t *testing.T) {
			if len(fault.tests) == 0 {
				t.Error("it has no test")
			}
			for _, test := range fault.tests {
				dir, name, _ := strings.Cut(test, " ")
				if packages[dir] == nil {
					packages[dir] = testsIn(t, dir)
				}
				text, there := packages[dir][name]
				switch {
				case !there:
					t.Errorf("%s has no test %s", dir, name)
				case !names(text, row):
					t.Errorf("%s does not say that it is of row %d", test, row)
				}
			}
		})
	}
}

// names reports whether a text speaks of a row: "Row 7", "rows 3 and 5", "row 09".
func names(text string, row int) bool {
	for _, said := range regexp.MustCompile(`(?i)\brows? [0-9, and]+`).FindAllString(text, -1) {
		if regexp.MustCompile(fmt.Sprintf(`\b0?%d\b`, row)).MatchString(said) {
			return true
		}
	}
	return false
}

// testsIn returns the comment and the texts within each function of a
// directory's tests.
func testsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	set := token.NewFileSet()
	for _, file := range files {
		tree, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			text := f.Doc.Text()
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					text += "\n" + l.Value
				}
				return true
			})
			found[f.Name.Name] = text
		}
	}
	return found
}
