/** Quantities as people write them in options. */
package io.muond.units;
