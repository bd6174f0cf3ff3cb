/** Module trees: their JSON form, their validation, and what the composition rules make of them. */
package io.muond.modular;
