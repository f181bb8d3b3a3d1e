/** Pages store own properties on `this`, which the official typings do not allow, so `this` is any; `wx` has its official types. */
declare function App(options: any): void;
declare function Page(options: any): void;
declare function Component(options: any): void;
declare function Behavior(options: any): any;
declare function getApp(): any;
declare function getCurrentPages(): any[];
declare function require(path: string): any;
declare const module: { exports: any };
declare const exports: any;
declare const console: { log(...args: any[]): void; warn(...args: any[]): void; error(...args: any[]): void };
declare function setTimeout(run: (...args: any[]) => void, ms?: number, ...args: any[]): number;
declare function clearTimeout(id: any): void;
declare function setInterval(run: (...args: any[]) => void, ms?: number, ...args: any[]): number;
declare function clearInterval(id: any): void;
declare const wx: WechatMiniprogram.Wx;
