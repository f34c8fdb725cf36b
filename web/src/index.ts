/** The package ipmdae: read a recording, denoise it, write it. */
export * from "./core/index.ts";
export * from "./formats/index.ts";
