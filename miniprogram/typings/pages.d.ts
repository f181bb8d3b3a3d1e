/** A page keeps more on itself than the official typings allow for, so its `this` is anything; `wx` is theirs. */
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
