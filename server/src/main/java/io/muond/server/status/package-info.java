/** A page that shows people what the server does. */
package io.muond.server.status;
