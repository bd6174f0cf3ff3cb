/**
 * What the log says, and of which call. A call has a {@link io.muond.server.log.RequestScope}; who
 * hands work to another thread hands the scope over with it.
 */
package io.muond.server.log;
