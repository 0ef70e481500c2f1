// Package authjs is the wire format of Auth.js (next-auth v4 and v5): its
// encrypted session cookie, its CSRF cookie, its rules for where a sign-in may
// lead, and what the two generations answer differently.
//
// It only computes: what it is given comes from a request, what it returns goes
// into an answer. The unmodified clients are the contract; where they differ the
// difference is a row of a table (Dialect), never a condition elsewhere.
package authjs
