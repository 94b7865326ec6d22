"use strict";
// Without this script the form works too; with it the page stays, and everybody's messages appear on it.
const messages = document.getElementById("messages");
const form = document.getElementById("say");
const state = document.getElementById("cable");

function show({ author, text }) {
  const line = messages.appendChild(document.createElement("li"));
  line.append(Object.assign(document.createElement("b"), { textContent: author }), " ",
    Object.assign(document.createElement("span"), { textContent: text }));
  line.scrollIntoView();
}

const room = ActionCable.createConsumer().subscriptions.create("RoomChannel", {
  connected() { state.textContent = "connected"; },
  disconnected() { state.textContent = "not connected"; },
  received: show,
});

form.addEventListener("submit", (event) => {
  const { author, text } = Object.fromEntries(new FormData(form));
  // Sent as any form when the cable is not there.
  if (!room.perform("say", { author, text })) return;
  event.preventDefault();
  form.elements.text.value = "";
});
