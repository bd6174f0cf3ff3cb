/**
 * The quickstart: a classifier of handwritten digits whose weights live on a daemon and whose
 * forward and backward passes run here, beside the same network under AdamW.
 */
package io.muond.quickstart;
