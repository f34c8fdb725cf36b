// Keeps the whole site in the browser's cache, so that the page works offline. The build fills in
// the version and the files.
const NAME = "ipmdae-VERSION";
const FILES = ["FILES"];

addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(requests)));
});

addEventListener("activate", (event) => {
  const clean = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("ipmdae-") && name !== NAME);
    await Promise.all(old.map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(clean());
});

addEventListener("fetch", (event) => {
  const cached = caches.open(NAME).then((cache) => cache.match(event.request));
  event.respondWith(cached.then((found) => found ?? fetch(event.request)));
});
