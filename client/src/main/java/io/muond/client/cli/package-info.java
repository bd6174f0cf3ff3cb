/** The command line {@code muond}. */
package io.muond.client.cli;
