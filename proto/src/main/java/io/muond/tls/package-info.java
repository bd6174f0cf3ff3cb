/** Certificates and private keys in files, renewed while they are used. */
package io.muond.tls;
