/** Files and directories that survive a crash. */
package io.muond.files;
