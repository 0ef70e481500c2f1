package store

import (
	"strconv"
	"strings"
	"testing"
)

// statement is one query of this package and whether it runs for every
// request or claim, so that it must not scan a table.
type statement struct {
	query string
	hot   bool
}

// statements lists every query, for the test that prepares them all.
func statements() map[string]statement {
	list := map[string]statement{
		"meta": {metaQuery, true}, "setMeta": {setMetaQuery, false}, "addMeta": {addMetaQuery, false},
		"userByID": {userByIDQuery, true}, "userByEmail": {userByEmailQuery, true}, "users": {usersQuery, true},
		"anyAdmin": {anyAdminQuery, false}, "addUser": {addUserQuery, false}, "addFirstAdmin": {addFirstAdminQuery, false},
		"userByUsername": {userByUsernameQuery, true}, "setProfile": {setProfileQuery, true}, "setUsername": {setUsernameQuery, true},
		"setRemoval": {setRemovalQuery, true}, "dueRemovals": {dueRemovalsQuery, true},
		"addEmail": {addEmailQuery, false}, "claimEmail": {claimEmailQuery, false}, "emailsOf": {emailsOfQuery, true},
		"verifyEmail": {verifyEmailQuery, true}, "verifyPrimary": {verifyPrimaryQuery, true}, "setPrimary": {setPrimaryQuery, true},
		"removeEmail": {removeEmailQuery, true},
		"passwordOf":  {passwordOfQuery, true}, "setPassword": {setPasswordQuery, false}, "rehashPassword": {rehashPasswordQuery, true},
		"removePassword": {removePasswordQuery, true}, "passwordsUnlike": {passwordsUnlikeQuery, false},
		"knowsBrowser": {knowsBrowserQuery, true}, "ownBrowser": {ownBrowserQuery, true}, "ownsBrowser": {ownsBrowserQuery, true}, "rememberBrowser": {rememberBrowserQuery, false},
		"forgetBrowser": {forgetBrowserQuery, true}, "forgetBrowsers": {forgetBrowsersQuery, true},
		"challengesOf": {challengesOfQuery, true}, "cancelChallenges": {cancelChallengesQuery, true}, "cancelChallengesSince": {cancelChallengesSinceQuery, true},
		"endSessionsSince": {endSessionsSinceQuery, true}, "isSignedIn": {isSignedInQuery, true}, "browsersOf": {browsersOfQuery, true}, "appSessionsOf": {appSessionsOfQuery, true}, "opened": {openedQuery, true}, "renewBrowser": {renewBrowserQuery, true}, "hasEmail": {hasEmailQuery, true},
		"renewSession": {renewSessionQuery, true},
		"eventsBefore": {eventsBeforeQuery, true},
		"setDisabled":  {setDisabledQuery, true}, "removeUser": {removeUserQuery, true},
		"otherAdmins": {otherAdminsQuery, false}, "setAdmin": {setAdminQuery, true}, "openAdmins": {openAdminsQuery, false}, "admins": {adminsQuery, false},
		"people": {peopleQuery, false}, "personByID": {personByIDQuery, true}, "countPeople": {countPeopleQuery, false},
		"sessionByToken": {sessionByTokenQuery, true}, "addSession": {addSessionQuery, false},
		"sessionsOf": {sessionsOfQuery, true}, "touchSession": {touchSessionQuery, true},
		"endSession": {endSessionQuery, true}, "dropSession": {dropSessionQuery, true}, "endSessionsOf": {endSessionsOfQuery, true},
		"sessionByAppToken": {sessionByAppTokenQuery, true}, "putAppSession": {putAppSessionQuery, false}, "sessionOf": {sessionOfQuery, true},
		"dropDoubleAppSessions": {dropDoubleAppSessionsQuery, true}, "rekeyAppSessions": {rekeyAppSessionsQuery, true},
		"rekeyHandoffs": {rekeyHandoffsQuery, false}, "rekeyChallenges": {rekeyChallengesQuery, true},
		"addHandoff": {addHandoffQuery, false}, "spendHandoff": {spendHandoffQuery, true},
		"addChallenge": {addChallengeQuery, false}, "challengeByToken": {challengeByTokenQuery, true},
		"challengeByID": {challengeByIDQuery, true}, "latestChallenge": {latestChallengeQuery, true}, "hasChallenge": {hasChallengeQuery, true},
		"spendChallenge": {spendChallengeQuery, true}, "tryCode": {tryCodeQuery, true},
		"endChallenge": {endChallengeQuery, true}, "supersede": {supersedeQuery, true},
		"addMessage": {addMessageQuery, false}, "dueMessage": {dueMessageQuery, true}, "nextDue": {nextDueQuery, true},
		"claimMessage": {claimMessageQuery, true}, "markDot": {markDotQuery, true}, "finishMessage": {finishMessageQuery, true},
		"cancelMessages": {cancelMessagesQuery, true}, "cancelMessage": {cancelMessageQuery, true},
		"cancelChallengeMail": {cancelChallengeMailQuery, true},
		"retryMessages":       {retryMessagesQuery, false}, "freeLeases": {freeLeasesQuery + " AND 1 = 1", false},
		"messages": {messagesQuery, true}, "waitingMessages": {waitingMessagesQuery, false},
		"lateMessages": {lateMessagesQuery, true}, "messageByID": {messageByIDQuery, true}, "mailHealth": {mailHealthQuery, true}, "mailLate": {mailLateQuery, true},
		"mailRefusal": {mailRefusalQuery, true}, "mailTaken": {mailTakenQuery, true},
		"policyDomains": {policyDomainsQuery, false}, "setAside": {setAsideQuery, true}, "releaseStale": {releaseStaleQuery, true},
		"queueDepths": {queueDepthsQuery, false}, "mailDays": {mailDaysQuery, true}, "mailTook": {mailTookQuery, true},
		"doneMessages": {doneMessagesQuery, true}, "mailEnded": {mailEndedQuery, true}, "message": {messageQuery, true}, "challengeMessage": {challengeMessageQuery, true},
		"emptyCapturedSubmissions": {emptyCapturedSubmissionsQuery, false},
		"emptyCaptured":            {emptyCapturedQuery, false}, "captured": {capturedQuery, true},
		"addAccount": {addAccountQuery, false}, "accountBySubject": {accountBySubjectQuery, true}, "accountsOf": {accountsOfQuery, true},
		"useAccount": {useAccountQuery, true}, "removeAccount": {removeAccountQuery, true},
		"claimRefresh": {claimRefreshQuery, true}, "finishRefresh": {finishRefreshQuery, true}, "freeRefresh": {freeRefreshQuery, true},
		"addAuthRequest": {addAuthRequestQuery, false}, "takeAuthRequest": {takeAuthRequestQuery, true}, "authRequestOf": {authRequestOfQuery, true},
		"addLoginOutcome": {addLoginOutcomeQuery, false}, "loginOutcome": {loginOutcomeQuery, true},
		"disownPassword": {disownPasswordQuery, true}, "disownPasskeys": {disownPasskeysQuery, true}, "disownAccounts": {disownAccountsQuery, true},
		"disownBrowsers": {disownBrowsersQuery, true}, "disownSessions": {disownSessionsQuery, true}, "disownEmails": {disownEmailsQuery, true},
		"addGroup": {addGroupQuery, false}, "groupByName": {groupByNameQuery, true}, "groups": {groupsQuery, false},
		"removeGroup": {removeGroupQuery, true}, "joinGroup": {joinGroupQuery, false}, "leaveGroup": {leaveGroupQuery, true},
		"groupsOf": {groupsOfQuery, true}, "membersOf": {membersOfQuery, true},
		"addInvite": {addInviteQuery, false}, "addInviteGroup": {addInviteGroupQuery, true}, "inviteByToken": {inviteByTokenQuery, true},
		"inviteByID": {inviteByIDQuery, true}, "inviteByEmail": {inviteByEmailQuery, false}, "inviteGroups": {inviteGroupsQuery, true}, "spendInvite": {spendInviteQuery, true},
		"invites": {invitesQuery, true}, "revokeInvite": {revokeInviteQuery, true},
		"addApplicant": {addApplicantQuery, false}, "tellOf": {notifiedQuery, true}, "applicantByEmail": {applicantByEmailQuery, true}, "applicants": {applicantsQuery, true},
		"takeApplicant": {takeApplicantQuery, true}, "applicantsSince": {applicantsSinceQuery, true}, "refuseApplicant": {refuseApplicantQuery, true},
		"attempts": {attemptsQuery, true}, "setAttempts": {setAttemptsQuery, false},
		"mailDomain": {mailDomainQuery, true}, "setTLSSeen": {setTLSSeenQuery, false}, "setSTSPolicy": {setSTSPolicyQuery, false},
		"backOff": {backOffQuery, false}, "endBackOff": {endBackOffQuery, false}, "forgetMailDomain": {forgetMailDomainQuery, true},
		"waitingDomains": {waitingDomainsQuery, true}, "nextRelease": {nextReleaseQuery, true},
		"addTLSResult": {addTLSResultQuery, false}, "tlsResults": {tlsResultsQuery, true},
		"suppress": {suppressQuery, false}, "suppression": {suppressionQuery, true}, "trySuppressed": {trySuppressedQuery, true},
		"endSuppression": {endSuppressionQuery, true}, "suppressions": {suppressionsQuery, true},
		"addDKIMKey": {addDKIMKeyQuery, false}, "dkimKeys": {dkimKeysQuery, true}, "retireDKIMKeys": {retireDKIMKeysQuery, true},
		"startDKIMKeys": {startDKIMKeysQuery, true}, "removeDKIMKeys": {removeDKIMKeysQuery, true},
		"importedID": {importedIDQuery, true}, "setImportedID": {setImportedIDQuery, false},
		"addPasskey": {addPasskeyQuery, false}, "passkeyByID": {passkeyByIDQuery, true}, "passkeysOf": {passkeysOfQuery, true},
		"knowsAppToken": {knowsAppTokenQuery, true},
		"addEvent":      {addEventQuery, false}, "eventsByReference": {eventsByReferenceQuery, true}, "eventsOf": {eventsOfQuery, true},
		"addCredential": {addCredentialQuery, false}, "credentialByName": {credentialByNameQuery, true}, "credentials": {credentialsQuery, true},
		"removeCredential": {removeCredentialQuery, true}, "useCredential": {useCredentialQuery, true},
		"addSubmission": {addSubmissionQuery, false}, "submitted": {submittedQuery, true}, "waitingOf": {waitingOfQuery, false},
		"submission": {submissionQuery, true}, "purgeSubmission": {purgeSubmissionQuery, true}, "tellDelay": {tellDelayQuery, true},
		"holdMessage": {holdMessageQuery, true},
	}
	for _, c := range sealedColumns {
		name := c.table + "." + c.name
		list["old "+name] = statement{c.oldQuery(), false}
		list["count "+name] = statement{c.countQuery(), false}
		list["reseal "+name] = statement{c.resealQuery(), true}
	}
	for _, s := range sweeps {
		list["sweep "+s.query[:24]] = statement{s.query, true}
	}
	return list
}

func TestEveryStatementIsValidAndTheHotOnesUseAnIndex(t *testing.T) {
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, s := range statements() {
		t.Run(name, func(t *testing.T) {
			stmt, err := db.writers.PrepareContext(t.Context(), s.query)
			if err != nil {
				t.Fatal(err)
			}
			stmt.Close()
			if s.hot {
				wantNoScan(t, db, s.query)
			}
		})
	}
}

func wantNoScan(t *testing.T, db *DB, query string) {
	t.Helper()
	args := make([]any, strings.Count(query, "$"))
	rows, err := db.writers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args[:paramCount(query)]...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "USING INDEX") && !strings.Contains(detail, "CONSTANT ROW") {
			t.Errorf("plan scans: %s", detail)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// paramCount returns the highest $n of a query.
func paramCount(query string) int {
	for n := 20; n > 0; n-- {
		if strings.Contains(query, "$"+strconv.Itoa(n)) {
			return n
		}
	}
	return 0
}

func TestEveryForeignKeyIsIndexed(t *testing.T) {
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const query = `
		SELECT m.name, f."from"
		  FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
		 WHERE m.type = 'table'
		   AND NOT EXISTS (SELECT 1
		                     FROM pragma_index_list(m.name) l, pragma_index_info(l.name) i
		                    WHERE i.seqno = 0 AND i.name = f."from")`
	rows, err := db.readers.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s.%s refers to another table but has no index", table, column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
