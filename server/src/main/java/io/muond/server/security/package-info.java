/**
 * Who may call, and how much: TLS with renewed certificates, tokens, quotas, the audit log. A call
 * that has been let in has a {@link io.muond.server.security.Caller}; nothing else here is seen by
 * the services.
 */
package io.muond.server.security;
